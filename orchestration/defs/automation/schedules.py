"""The clock: each night the day that ended, each week the certification of the metrics."""

import dagster as dg

from orchestration.defs.automation.jobs import certification, daily

nightly = dg.build_schedule_from_partitioned_job(
    daily,
    name="nightly",
    hour_of_day=1,
    minute_of_hour=30,
    description="01:30 UTC: the day that ended, and whatever is outstanding before it.",
)

weekly_certification = dg.ScheduleDefinition(
    job=certification,
    name="weekly_certification",
    cron_schedule="0 4 * * 1",
    execution_timezone="UTC",
    description="Monday 04:00 UTC: A/A certification of every metric that a running experiment uses.",
)
