"""What units did soon and late after their exposure, added up by hand, and anew where a day's inputs changed."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from fairsplit.orchestration.catalogue.loading import read_definitions
from fairsplit.orchestration.judging.effect_ages import keep_effect_ages
from fairsplit.orchestration.project import PROJECT_ROOT

pytestmark = pytest.mark.integration

EXPOSED = datetime(2026, 1, 6, 10)  # noqa: DTZ001
DEFINITIONS = read_definitions(PROJECT_ROOT / "catalog")
MEASURES = [measure.name for measure in DEFINITIONS.measures.values() if measure.agg in {"count", "sum"}]


@pytest.fixture
def connection(event_inputs):
    for statement in (
        "create schema work",
        "create table work.state as select 'frontier' as key, '2026-01-12' as value",
        "create table int_identity_links (anonymous_id varchar, user_id varchar)",
        (
            "create table fct_exposures (experiment_id varchar, unit_id varchar, variant_id varchar,"
            " exposure_day date, exposed_at timestamp)"
        ),
        (
            "create table int_unit_days (event_day date, unit_type varchar, id_kind varchar, raw_id varchar, "
            + ", ".join(f"{name} hugeint default 0" for name in MEASURES)
            + ")"
        ),
        (
            "create table stg_events (event_day date, user_id varchar, anonymous_id varchar, session_id varchar,"
            " event_name varchar, occurred_at timestamp, value double)"
        ),
    ):
        event_inputs.execute(statement)
    return event_inputs


def expose(connection, unit: str, experiment: str, variant: str, when: datetime = EXPOSED) -> None:
    connection.execute(
        "insert into fct_exposures values (?, ?, ?, ?, ?)", [experiment, unit, variant, when.date(), when]
    )


def did(
    connection, unit: str, name: str, after: timedelta, times: int = 1, *, anonymous: bool = False
) -> None:
    """Events of one instant, in the events and in the unit-days."""
    when = EXPOSED + after
    for _ in range(times):
        connection.execute(
            "insert into stg_events values (?, ?, ?, null, ?, ?, null)",
            [when.date(), None if anonymous else unit, unit if anonymous else None, name, when],
        )
    column = {"click": "clicks", "purchase": "purchases"}[name]
    connection.execute(
        f"insert into int_unit_days (event_day, unit_type, id_kind, raw_id, {column}) values (?, 'user', ?, ?, ?)",
        [when.date(), "anonymous" if anonymous else "user", unit, times],
    )
    connection.execute(
        "insert into landing.lake_files values (?, ?, 1)", [when.date(), f"{unit}{name}{after}"]
    )


def kept(connection, experiment: str, metric: str) -> dict[str, tuple]:
    keep_effect_ages(connection, DEFINITIONS)
    rows = connection.execute(
        """select variant_id, n, active, sum_y, sum_d, sum_yy, sum_yd, sum_dd from results.effect_ages
           where experiment_id = ? and metric = ?""",
        [experiment, metric],
    ).fetchall()
    return {row[0]: row[1:] for row in rows}


def test_clicks_are_added_up_in_halves_of_the_window(connection) -> None:
    """A window of 7 days: the exposure's day from the instant on and days 1 to 3 are early, days 4 to 6 late."""
    for unit in ("a", "b", "idle"):
        expose(connection, unit, "badge_notifications", "badges")
    expose(connection, "c", "badge_notifications", "control")
    did(connection, "a", "click", timedelta(hours=-1), 50)
    did(connection, "a", "click", timedelta(0), 2)
    did(connection, "a", "click", timedelta(days=3), 1)
    did(connection, "a", "click", timedelta(days=4), 4)
    did(connection, "b", "click", timedelta(days=6, hours=13), 1)
    did(connection, "b", "click", timedelta(days=6, hours=14), 70)
    assert kept(connection, "badge_notifications", "clicks_per_user") == {
        # a: late 4 of 7, b: late 1 of 1
        "badges": (3, 2, 5, 8, 16 + 1, 28 + 1, 49 + 1),
        "control": (1, 0, 0, 0, 0, 0, 0),
    }


def test_a_share_counts_a_unit_once_a_day(connection) -> None:
    expose(connection, "a", "checkout_cta", "red")
    did(connection, "a", "purchase", timedelta(days=1), 3)
    did(connection, "a", "purchase", timedelta(days=5), 2)
    assert kept(connection, "checkout_cta", "checkout_conversion") == {"red": (1, 1, 1, 2, 1, 2, 4)}


def test_days_are_asked_once_the_window_is_over(connection) -> None:
    expose(connection, "a", "badge_notifications", "badges", EXPOSED + timedelta(days=1))
    assert kept(connection, "badge_notifications", "clicks_per_user") == {}
    connection.execute("update work.state set value = '2026-01-13'")
    assert kept(connection, "badge_notifications", "clicks_per_user") == {"badges": (1, 0, 0, 0, 0, 0, 0)}


def test_late_events_and_links_change_the_sums(connection) -> None:
    expose(connection, "a", "badge_notifications", "badges")
    did(connection, "anon", "click", timedelta(days=4), 3, anonymous=True)
    did(connection, "anon", "click", timedelta(hours=1), 1, anonymous=True)
    assert kept(connection, "badge_notifications", "clicks_per_user") == {"badges": (1, 0, 0, 0, 0, 0, 0)}
    connection.execute("insert into int_identity_links values ('anon', 'a')")
    assert kept(connection, "badge_notifications", "clicks_per_user") == {"badges": (1, 1, 3, 4, 9, 12, 16)}
    did(connection, "a", "click", timedelta(days=2), 1)
    assert kept(connection, "badge_notifications", "clicks_per_user") == {"badges": (1, 1, 3, 5, 9, 15, 25)}
