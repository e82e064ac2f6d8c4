"""The grid of days that everything is partitioned by, and what else Dagster needs of the project when it loads."""

from __future__ import annotations

import contextlib
from datetime import date, timedelta
from typing import Any

import dagster as dg
import yaml

from fairsplit.orchestration.landing.settings import EARLIEST
from fairsplit.orchestration.project import catalog_dir


def settings_at_load() -> dict[str, Any]:
    """`project.yaml` as it stands, without the catalogue's validation; empty where it cannot be read.

    Dagster loads even beside a broken file: `fairsplit validate` and the `catalogue` asset report what is wrong.
    """
    with contextlib.suppress(OSError, yaml.YAMLError):
        settings = yaml.safe_load((catalog_dir() / "project.yaml").read_text(encoding="utf-8"))
        if isinstance(settings, dict):
            return settings
    return {}


def daily_partitions(settings: dict[str, Any]) -> dg.DailyPartitionsDefinition:
    """Calendar days in UTC from the project's first day on.

    Where none is declared it follows from the events, of which earlier ones may land while the grid is loaded.
    """
    last_day = _day(settings.get("last_day"), None)
    return dg.DailyPartitionsDefinition(
        start_date=str(_day(settings.get("first_day"), EARLIEST)),
        end_date=str(last_day + timedelta(days=1)) if last_day else None,
        # A day is a cut-off like any other while it is still running; which days are complete is the
        # landing manifest's word, so the grid itself ends today.
        end_offset=0 if last_day else 1,
    )


def _day(value: object, default: date | None) -> date | None:
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        return default


_SETTINGS = settings_at_load()
DAILY = daily_partitions(_SETTINGS)
#: Whether schedules and sensors run as soon as the code location has loaded.
AUTOMATION = _SETTINGS.get("automation", True) is not False

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
