"""The clock: each night the day that ended."""

import dagster as dg

from orchestration.defs.automation.jobs import daily

nightly = dg.build_schedule_from_partitioned_job(
    daily,
    name="nightly",
    hour_of_day=1,
    minute_of_hour=30,
    description="01:30 UTC: the day that ended, and whatever is outstanding before it.",
)
