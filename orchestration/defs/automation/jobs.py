"""The jobs: taking landed files; the day's pipeline that schedule, sensors and backfills share; certification."""

import dagster as dg

from fairsplit.orchestration.running import names

# A full disk, a file that is being copied, a reader of moments: repeated after 5 and 15 s, then the run has failed. A
# blocking check that fails is a finding about the data, which Dagster does not repeat.
RETRY = dg.RetryPolicy(max_retries=2, delay=5, backoff=dg.Backoff.EXPONENTIAL)

# Steps run one after another in the run's own process: DuckDB has one writer, and a process a step would
# cost seconds of imports each.
land = dg.define_asset_job(
    names.named("land"),
    selection=dg.AssetSelection.assets(names.key("catalogue"), names.key("landed_files")),
    executor_def=dg.in_process_executor,
    op_retry_policy=RETRY,
    description="Take new files from the landing folder into the lake.",
)

CERTIFICATION = dg.AssetSelection.assets(names.key("aa_certification"))

daily = dg.define_asset_job(
    names.named("daily"),
    selection=dg.AssetSelection.groups(*map(names.named, names.GROUPS)) - CERTIFICATION,
    executor_def=dg.in_process_executor,
    op_retry_policy=RETRY,
    description="Landed files to published scorecards and configs, for every outstanding day of the range.",
)

certification = dg.define_asset_job(
    names.named("certification"),
    selection=CERTIFICATION,
    executor_def=dg.in_process_executor,
    op_retry_policy=RETRY,
    description="Split the metrics' real units at random, and see whether every analysis keeps its promises.",
)
