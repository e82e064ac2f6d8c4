"""Outcomes before the exposure of their session, counted by hand, and counted anew where a day's events changed."""

from __future__ import annotations

from datetime import datetime

import pytest

from fairsplit.orchestration.catalogue.loading import read_definitions
from fairsplit.orchestration.judging.early_outcomes import keep_early_outcomes
from fairsplit.orchestration.project import PROJECT_ROOT

pytestmark = pytest.mark.integration


def at(hour: int, day: int = 6) -> datetime:
    return datetime(2026, 1, day, hour)  # noqa: DTZ001


@pytest.fixture
def connection(event_inputs):
    for statement in (
        (
            "create table fct_exposures (experiment_id varchar, variant_id varchar, exposure_day date,"
            " session_id varchar, exposed_at timestamp)"
        ),
        "create table stg_events (event_day date, session_id varchar, event_name varchar, occurred_at timestamp)",
    ):
        event_inputs.execute(statement)
    return event_inputs


def expose(connection, variant: str, session: str | None, when: datetime) -> None:
    connection.execute(
        "insert into fct_exposures values ('checkout_cta', ?, ?, ?, ?)", [variant, when.date(), session, when]
    )


def buy(connection, session: str | None, when: datetime, file: str) -> None:
    connection.execute("insert into stg_events values (?, ?, 'purchase', ?)", [when.date(), session, when])
    connection.execute("insert into landing.lake_files values (?, ?, 1)", [when.date(), file])


def counted(connection) -> set[tuple]:
    keep_early_outcomes(connection, read_definitions(PROJECT_ROOT / "catalog"))
    return {
        (variant, day.day, units, early)
        for variant, day, units, early in connection.execute(
            "select variant_id, exposure_day, units, early from results.early_outcomes"
            " where experiment_id = 'checkout_cta'"
        ).fetchall()
    }


def test_a_unit_counts_once_by_its_first_outcome_in_the_session(connection) -> None:
    for session, hours in {
        "before": (8, 12),
        "after": (12,),
        "instant": (10,),
        "none": (),
        "other": (),
    }.items():
        expose(connection, "red", session, at(10))
        for hour in hours:
            buy(connection, session, at(hour), f"{session}-{hour}")
    expose(connection, "control", None, at(10))
    buy(connection, None, at(8), "no-session")
    assert counted(connection) == {("red", 6, 3, 1)}


def test_a_late_outcome_changes_its_own_day_and_a_moved_exposure_too(connection) -> None:
    for day in (6, 7):
        expose(connection, "red", f"s{day}", at(10, day))
        buy(connection, f"s{day}", at(12, day), f"file-{day}")
    assert counted(connection) == {("red", 6, 1, 0), ("red", 7, 1, 0)}
    buy(connection, "s6", at(9, 6), "late")
    assert counted(connection) == {("red", 6, 1, 1), ("red", 7, 1, 0)}
    connection.execute(
        "update fct_exposures set exposed_at = exposed_at - interval 3 hour where session_id = 's6'"
    )
    assert counted(connection) == {("red", 6, 1, 0), ("red", 7, 1, 0)}
    connection.execute("delete from fct_exposures where session_id = 's7'")
    assert counted(connection) == {("red", 6, 1, 0)}


def test_a_changed_filter_asks_the_events_of_every_day_again(connection) -> None:
    expose(connection, "red", "s6", at(10))
    buy(connection, "s6", at(8), "file")
    assert counted(connection) == {("red", 6, 1, 1)}
    connection.execute("insert into catalog.filters values ('bots')")
    connection.execute("delete from stg_events")
    assert counted(connection) == set()
