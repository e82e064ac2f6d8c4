"""Conditions on the time: evaluator, SQL, Eppo's SDK and flagd agree at random instants."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openfeature.contrib.tools.flagd.core import FlagdCore
from openfeature.evaluation_context import EvaluationContext

from analysis.catalogue.conditions import Condition, evaluate
from analysis.catalogue.shards import shard_ranges
from analysis.catalogue.times import WEEKDAYS
from assignment_exports.allocation import Allocation, AllocationPhase
from assignment_exports.errors import ExportError
from assignment_exports.flagd import flagd_flags, flagd_payload
from assignment_exports.growthbook import growthbook_condition
from assignment_exports.rules import rules_of
from assignment_exports.ufc import assemble, compile_flags, timestamp
from tests.conditions import trees
from tests.sdks import eppo
from tests.warehouses import Ask, spark_test

EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - instants are naive UTC in this project
FIRST, LAST = datetime(2025, 1, 1), datetime(2027, 12, 31)  # noqa: DTZ001
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia"]
_DAYS = st.dates(date(2025, 1, 1), date(2027, 12, 31))
_WHEN = st.fixed_dictionaries(
    {"zone": st.sampled_from(ZONES), "hours": st.tuples(st.integers(0, 23), st.integers(1, 24)).map(list)},
    optional={
        "weekdays": st.lists(st.sampled_from(WEEKDAYS), min_size=1, max_size=5),
        "months": st.lists(st.integers(1, 12), min_size=6, max_size=9),
        "seasons": st.lists(
            st.sampled_from(["spring", "summer", "autumn", "winter"]), min_size=2, max_size=3
        ),
        "hemisphere": st.sampled_from(["north", "south"]),
        "holidays": st.lists(st.sampled_from(["DE", "US", "DE-BY"]), min_size=1, max_size=2),
        "from": _DAYS.map(date.isoformat),
    },
).filter(lambda when: when["hours"][0] != when["hours"][1])
_LEAVES = st.one_of(
    st.builds(lambda when: {"when": when}, _WHEN),
    st.builds(lambda zone, days: {"when": {"zone": zone, "weekdays": days}}, st.sampled_from(ZONES),
              st.lists(st.sampled_from(WEEKDAYS), min_size=1, max_size=6)),
    st.sampled_from([{"attribute": "country", "in": ["US"]}, {"attribute": "age", "gte": 18}]),
)  # fmt: skip
CONDITIONS = trees(_LEAVES, max_leaves=4)
SUBJECTS: list[dict[str, Any]] = [{}, {"country": "US"}, {"country": "DE", "age": 17}, {"age": 40}]
# Whole hours and their last seconds: where hours and days change, and everything between.
INSTANTS = st.datetimes(FIRST, LAST).map(
    lambda at: (
        at.replace(microsecond=0) if at.microsecond % 2 else at.replace(minute=0, second=0, microsecond=0)
    )
)


def agree(ask: Ask, trees: list[Any], instants: list[datetime]) -> None:
    conditions = [Condition.model_validate(tree) for tree in trees]
    rows = [(subject, at) for subject in SUBJECTS for at in instants]
    expected = [[evaluate(condition, subject, at=at) for subject, at in rows] for condition in conditions]
    assert ask(conditions, rows) == expected


@settings(max_examples=100, deadline=None)
@given(CONDITIONS, st.lists(INSTANTS, min_size=1, max_size=8))
def test_duckdb_says_what_the_evaluator_says(duckdb_says: Ask, tree: Any, instants: list[datetime]) -> None:
    agree(duckdb_says, [tree], instants)


@spark_test
@settings(max_examples=4, deadline=None)
@given(st.lists(CONDITIONS, min_size=10, max_size=20), st.lists(INSTANTS, min_size=10, max_size=30))
def test_spark_says_what_the_evaluator_says(
    spark_says: Ask, trees: list[Any], instants: list[datetime]
) -> None:
    agree(spark_says, trees, instants)


@spark_test
def test_spark_knows_every_time_zone(spark_says: Ask) -> None:
    from pyspark.sql import SparkSession  # noqa: PLC0415 - only where there is Spark

    known = SparkSession.active()._jvm.java.time.ZoneId.getAvailableZoneIds()
    names = sorted(available_timezones() & set(known))
    assert len(names) > 500
    hours = [Condition.model_validate({"when": {"zone": name, "hours": [0, 12]}}) for name in names]
    # Rules of the past: of the future, two editions of the database may differ.
    moments = [datetime(2016, month, 15, hour) for month in (1, 7) for hour in range(24)]  # noqa: DTZ001
    expected = [[evaluate(condition, {}, at=at) for at in moments] for condition in hours]
    assert spark_says(hours, [({}, at) for at in moments]) == expected


def allocation(condition: Condition) -> Allocation:
    phase = AllocationPhase(EPOCH, None, 10_000, "t", "s", shard_ranges({"in": 1.0}))
    return Allocation("cta", "running", (phase,), None, condition, {"in": {}}, "in", None)


def moved(payload: dict[str, Any], by: timedelta) -> dict[str, Any]:
    """The configuration with every date moved: the SDK reads the real clock, which a test cannot set."""
    payload = json.loads(json.dumps(payload))  # both flags hold the same allocations
    for flag in payload["flags"].values():
        for one in flag["allocations"]:
            for edge in ("startAt", "endAt"):
                if one[edge] is not None:
                    one[edge] = timestamp(datetime.fromisoformat(one[edge]).replace(tzinfo=None) + by)
    return payload


@pytest.mark.integration
@settings(max_examples=40, deadline=None)
@given(CONDITIONS, INSTANTS, st.integers(0, 14 * 24 * 60 - 1))
def test_the_sdks_let_in_whom_the_evaluator_lets_in_at_that_instant(
    tree: Any, hour: datetime, minutes: int
) -> None:
    condition = Condition.model_validate(tree)
    as_of = datetime.combine(hour.date(), datetime.min.time())
    at = as_of + timedelta(minutes=minutes)
    expected = [evaluate(condition, subject, at=at) is True for subject in SUBJECTS]

    # A minute's half away from every edge, for the clock goes on.
    now = datetime.now(tz=None)  # noqa: DTZ005 - the tests run in UTC
    shift = now - (at + timedelta(seconds=30))
    client = eppo(moved(assemble(compile_flags(allocation(condition), as_of), as_of), shift))
    assert [
        client.get_string_assignment("cta", "unit", subject, "out") == "in" for subject in SUBJECTS
    ] == expected

    core = FlagdCore()
    core.set_flags(json.dumps(flagd_payload(flagd_flags(allocation(condition), as_of), as_of)))
    with pytest.MonkeyPatch.context() as patch:
        clock = (at - EPOCH).total_seconds()
        patch.setattr("time.time", lambda: clock)
        served = [
            core.resolve_string_value("cta", "-", EvaluationContext("unit", subject)).value
            for subject in SUBJECTS
        ]
    assert [value == "in" for value in served] == expected


def test_nobody_is_let_in_beyond_what_was_written_out() -> None:
    condition = Condition.model_validate({"not": {"when": {"weekdays": ["sat", "sun"]}}})
    monday = datetime(2026, 1, 5)  # noqa: DTZ001
    windows = [
        (one["startAt"], one["endAt"])
        for one in compile_flags(allocation(condition), monday)["cta"]["allocations"]
    ]
    assert windows == [
        ("2026-01-05T00:00:00.000Z", "2026-01-10T00:00:00.000Z"),
        ("2026-01-12T00:00:00.000Z", "2026-01-17T00:00:00.000Z"),
    ]


def test_what_knows_no_dates_is_refused_with_the_way_out() -> None:
    condition = Condition.model_validate(
        {"all": [{"when": {"hours": [9, 17]}}, {"attribute": "age", "gt": 9}]}
    )
    for compiled in (growthbook_condition, rules_of):
        with pytest.raises(ExportError, match=r"cannot tell the time.*sdk: ufc or flagd"):
            compiled(condition)
