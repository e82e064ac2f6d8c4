"""`results.schedule`: each week planned once from what was known before it, and anew only where that has changed."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

from fairsplit.analysis.judgement.rows import conform
from fairsplit.analysis.scheduling.hours import hour_effects, week_of
from fairsplit.analysis.scheduling.weeks import (
    DAYS_BEFORE,
    SCHEDULE,
    SCHEDULE_KEY,
    SCHEDULE_WEEKS,
    known_day,
    priority,
    week_rows,
)
from fairsplit.orchestration.lifecycle.acting import in_force
from fairsplit.orchestration.provenance.code_hash import code_hash
from fairsplit.orchestration.reading.results import rows_of
from fairsplit.orchestration.warehouse.opening import has_table, replace_tables
from fairsplit.orchestration.warehouse.outstanding import built_day

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    import duckdb

    from fairsplit.analysis.catalogue import Catalogue
    from fairsplit.analysis.catalogue.schedules import Schedule
    from fairsplit.orchestration.catalogue.loading import Definitions

#: Days of events that the hours of the week are compared by.
_ACTIVITY_DAYS = 56


def plan_schedules(connection: duckdb.DuckDBPyConnection, definitions: Definitions) -> pl.DataFrame:
    """Plan every week of every schedule up to the one that the newest cut-off knows.

    A week's plan follows from the results and events up to two days before it, so that it stays while the week goes on.

    Args:
        connection: A writer; results are judged.
        definitions: The catalogue.

    Returns:
        The rows of `results.schedule`.

    Raises:
        LookupError: No day has been built.
    """
    cut_off = built_day(connection)
    catalogue = in_force(connection, definitions).catalogue
    kept = _kept(connection)
    rows: list[dict[str, Any]] = []
    marks = []
    for schedule in catalogue.schedules.values():
        for week in _weeks(schedule, cut_off):
            inputs = _inputs(connection, schedule, catalogue, week)
            mark = hashlib.sha256(json.dumps(inputs, sort_keys=True, default=str).encode()).hexdigest()
            marks.append({"schedule_id": schedule.id, "week": week, "input_hash": mark})
            before = kept.get((schedule.id, week, mark))
            rows += _planned(schedule, catalogue, inputs, week) if before is None else before
    planned = conform(pl.DataFrame(rows, schema=dict(SCHEDULE)), SCHEDULE, SCHEDULE_KEY)
    replace_tables(
        connection,
        "results",
        {"schedule": planned, "schedule_weeks": pl.DataFrame(marks, schema=dict(SCHEDULE_WEEKS))},
    )
    return planned


def _weeks(schedule: Schedule, cut_off: date) -> Iterator[date]:
    week = week_of(schedule.start)
    while known_day(week) <= cut_off and (schedule.end is None or week < schedule.end):
        yield week
        week += timedelta(days=7)


def _inputs(
    connection: duckdb.DuckDBPyConnection, schedule: Schedule, catalogue: Catalogue, week: date
) -> dict[str, Any]:
    """All that a week's plan depends on."""
    day = known_day(week)
    names = sorted({item.experiment for item in schedule.items} & catalogue.experiments.keys())
    decided = connection.execute(
        """select experiment_id, decision from results.decisions
           where cut_off = ? and list_contains(?, experiment_id) order by all""",
        [day, names],
    ).fetchall()
    fractions = connection.execute(
        """select experiment_id, metric, cut_off, information_fraction from results.comparisons
           where cut_off in (?, ?) and list_contains(?, experiment_id) and role = 'primary' and segment = 'all'
               and analysis = 'default' and comparison is not null order by all""",
        [day, day - timedelta(days=7), names],
    ).fetchall()
    activity = connection.execute(
        """select event_day, hour, events from fct_hourly_activity
           where event_day > ? and event_day <= ? order by all""",
        [day - timedelta(days=_ACTIVITY_DAYS), day],
    ).fetchall()
    return {
        "schedule": schedule.model_dump(mode="json", by_alias=True),
        "experiments": {
            name: [item.status, item.start, item.end, item.history[-1].weights]
            for name in names
            for item in [catalogue.experiments[name]]
        },
        "decisions": dict(decided),
        "fractions": fractions,
        "activity": activity,
        "code": code_hash(),
    }


def _planned(
    schedule: Schedule, catalogue: Catalogue, inputs: dict[str, Any], week: date
) -> list[dict[str, Any]]:
    day = known_day(week)
    least: dict[tuple[str, date], float] = {}
    for name, _, at, fraction in inputs["fractions"]:
        if fraction is not None:
            least[name, at] = min(fraction, least.get((name, at), fraction))
    priorities = {
        name: priority(
            inputs["decisions"].get(name, "continue"),
            least.get((name, day)),
            least.get((name, day - timedelta(days=7))),
        )
        for name in inputs["experiments"]
        if _posts(catalogue, name, week)
    }
    effects = hour_effects(inputs["activity"], schedule.clock)
    return week_rows(schedule, catalogue.experiments, priorities, effects, week)


def _posts(catalogue: Catalogue, name: str, week: date) -> bool:
    """Whether an experiment runs all week; one that ends or begins in it waits for whole blocks."""
    item = catalogue.experiments[name]
    after = week + timedelta(days=7)
    return (
        item.status == "running"
        and item.start.date() <= week + timedelta(days=DAYS_BEFORE)
        and (item.end is None or item.end.date() >= after)
    )


def _kept(connection: duckdb.DuckDBPyConnection) -> dict[tuple[str, date, str], list[dict[str, Any]]]:
    """The posts of each week that was planned before, by the hash of what it was planned from."""
    if not has_table(connection, "results", "schedule_weeks"):
        return {}
    marks = connection.execute("select schedule_id, week, input_hash from results.schedule_weeks").fetchall()
    found: dict[tuple[str, date, str], list[dict[str, Any]]] = {
        (name, week, mark): [] for name, week, mark in marks
    }
    keys = {(name, week): mark for name, week, mark in marks}
    for row in rows_of(connection, "from results.schedule order by schedule_id, post_at, post_id"):
        found[row["schedule_id"], row["week"], keys[row["schedule_id"], row["week"]]].append(row)
    return found
