"""The two jobs: taking landed files, and the day's pipeline that schedule, sensors and backfills share."""

import dagster as dg

# Steps run one after another in the run's own process: DuckDB has one writer, and a process a step would
# cost seconds of imports each.
land = dg.define_asset_job(
    "land",
    selection=dg.AssetSelection.assets("catalogue", "landed_files"),
    executor_def=dg.in_process_executor,
    description="Take new files from the landing folder into the lake.",
)

daily = dg.define_asset_job(
    "daily",
    selection=dg.AssetSelection.all(),
    executor_def=dg.in_process_executor,
    description="Landed files to published scorecards and configs, for every outstanding day of the range.",
)
