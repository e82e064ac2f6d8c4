"""The jobs: taking landed files; the day's pipeline that schedule, sensors and backfills share; certification."""

import dagster as dg

# Steps run one after another in the run's own process: DuckDB has one writer, and a process a step would
# cost seconds of imports each.
land = dg.define_asset_job(
    "land",
    selection=dg.AssetSelection.assets("catalogue", "landed_files"),
    executor_def=dg.in_process_executor,
    description="Take new files from the landing folder into the lake.",
)

CERTIFICATION = dg.AssetSelection.assets("aa_certification")

daily = dg.define_asset_job(
    "daily",
    selection=dg.AssetSelection.all() - CERTIFICATION,
    executor_def=dg.in_process_executor,
    description="Landed files to published scorecards and configs, for every outstanding day of the range.",
)

certification = dg.define_asset_job(
    "certification",
    selection=CERTIFICATION,
    executor_def=dg.in_process_executor,
    description="Split the metrics' real units at random, and see whether every analysis keeps its promises.",
)
