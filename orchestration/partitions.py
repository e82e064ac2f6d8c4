"""The grid of days that everything is partitioned by."""

from __future__ import annotations

from datetime import date, timedelta

import dagster as dg
import yaml

from orchestration.paths import catalog_dir


def daily_partitions() -> dg.DailyPartitionsDefinition:
    """Calendar days in UTC from the project's first day on.

    Dagster needs the grid when it loads the definitions, so the one setting is read here, without the
    catalogue's validation: `fairsplit validate` and the `catalogue` asset report a broken project file.
    """
    settings = catalog_dir() / "project.yaml"
    project = yaml.safe_load(settings.read_text()) if settings.exists() else {}
    first_day = str(project.get("first_day", "2026-01-01"))
    last_day = project.get("last_day")
    return dg.DailyPartitionsDefinition(
        start_date=first_day,
        end_date=str(date.fromisoformat(str(last_day)) + timedelta(days=1)) if last_day else None,
        # A day is a cut-off like any other while it is still running; which days are complete is the
        # landing manifest's word, so the grid itself ends today.
        end_offset=0 if last_day else 1,
    )


DAILY = daily_partitions()

# The nightly run starts at 01:30 UTC. Dagster looks at the newest materialisation of any partition, so this tells
# that publishing has stopped; that the newest day is there is the check `requested_day_is_complete`.
NIGHTLY_FRESHNESS = (
    dg.FreshnessPolicy.cron(deadline_cron="0 6 * * *", lower_bound_delta=timedelta(hours=24))
    if DAILY.end is None
    else None
)


def days_of(context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext) -> tuple[date, date]:
    """First and last day of a run's partition range, both included."""
    keys = context.partition_key_range
    return date.fromisoformat(keys.start), date.fromisoformat(keys.end)
