"""Conditions on the time: evaluator, SQL, Eppo's SDK and flagd agree at random instants."""

from __future__ import annotations

import json
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import available_timezones

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.conditions import trees
from tests.definitions import flag
from tests.sdks import python_sdk
from tests.warehouses import Ask, spark_test

from fairsplit.analysis.catalogue.conditions import Condition, evaluate
from fairsplit.analysis.catalogue.shards import shard_ranges
from fairsplit.analysis.catalogue.times import WEEKDAYS
from fairsplit.assignment_exports.allocation import Allocation, AllocationPhase
from fairsplit.assignment_exports.errors import ExportError
from fairsplit.assignment_exports.families import FAMILIES
from fairsplit.assignment_exports.flagd import flagd_flags
from fairsplit.assignment_exports.flags import serve
from fairsplit.assignment_exports.growthbook import growthbook_condition
from fairsplit.assignment_exports.times import HORIZON
from fairsplit.assignment_exports.ufc import compile_flags, timestamp

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.sdks import Serve

    from fairsplit.analysis.catalogue import Flag

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


def ufc_at(flags: Any, at: datetime) -> Serve:
    """Eppo's SDK on flags whose dates are moved: it reads the real clock, which a test cannot set."""
    # A minute's half away from every edge, for the clock goes on.
    shift = datetime.now(tz=None) - (at + timedelta(seconds=30))  # noqa: DTZ005 - the tests run in UTC
    flags = json.loads(json.dumps(flags))  # both flags of an experiment hold the same allocations
    for one in flags.values():
        for part in one["allocations"]:
            for edge in ("startAt", "endAt"):
                if part[edge] is not None:
                    part[edge] = timestamp(datetime.fromisoformat(part[edge]).replace(tzinfo=None) + shift)
    return python_sdk("ufc", json.dumps(FAMILIES["ufc"].assemble(flags, at)).encode())


@contextmanager
def flagd_at(flags: Any, at: datetime) -> Iterator[Serve]:
    with pytest.MonkeyPatch.context() as patch:
        clock = (at - EPOCH).total_seconds()
        patch.setattr("time.time", lambda: clock)
        yield python_sdk("flagd", json.dumps(FAMILIES["flagd"].assemble(flags, at)).encode())


def compiled(flags: Mapping[str, Flag], as_of: datetime) -> dict[str, Any]:
    payload: dict[str, Any] = {}
    for one in flags.values():
        payload |= FAMILIES[one.sdk].compile_flag(one, flags, {}, as_of, "")
    return payload


AS_OF = INSTANTS.map(lambda at: datetime.combine(at.date(), datetime.min.time()))
MINUTES = st.integers(0, 14 * 24 * 60 - 1).map(lambda minutes: timedelta(minutes=minutes))


@pytest.mark.integration
@settings(max_examples=40, deadline=None)
@given(CONDITIONS, AS_OF, MINUTES)
def test_the_sdks_let_in_whom_the_evaluator_lets_in_at_that_instant(
    tree: Any, as_of: datetime, minutes: timedelta
) -> None:
    condition, at = Condition.model_validate(tree), as_of + minutes
    expected = [evaluate(condition, subject, at=at) is True for subject in SUBJECTS]
    ufc = ufc_at(compile_flags(allocation(condition), as_of), at)
    assert [ufc("string", "cta", "unit", subject) == "in" for subject in SUBJECTS] == expected
    with flagd_at(flagd_flags(allocation(condition), as_of), at) as flagd:
        assert [flagd("string", "cta", "unit", subject) == "in" for subject in SUBJECTS] == expected


@pytest.mark.integration
@settings(max_examples=25, deadline=None)
@given(CONDITIONS, CONDITIONS, AS_OF, MINUTES)
def test_flags_and_what_depends_on_them_serve_what_the_evaluator_says_at_that_instant(
    tree: Any, other: Any, as_of: datetime, minutes: timedelta
) -> None:
    at = as_of + minutes
    base = flag("base", sdk="flagd", targeting=tree, overrides={"tester": False})
    needs = {value: [{"flag": "base", "value": value}] for value in (True, False)}
    found = {
        "base": base,
        "with": flag("with", sdk="flagd", targeting=other, depends_on=needs[True]),
        "without": flag("without", sdk="flagd", targeting=other, depends_on=needs[False]),
        "beside": flag("beside", sdk="flagd", depends_on=needs[False]),
        "last": flag("last", sdk="flagd", depends_on=[{"flag": "without", "value": False}]),
    }
    with flagd_at(compiled(found, as_of), at) as flagd:
        for name, one in found.items():
            for unit in ("unit", "tester"):
                for subject in SUBJECTS:
                    expected = serve(one, found, unit, subject, {}, at)
                    assert flagd("boolean", name, unit, subject) == expected, name

    # Eppo's SDKs serve the rollout's value of another flag alone.
    found = {name: found[name].model_copy(update={"sdk": "ufc"}) for name in ("base", "with")}
    try:
        payload = compiled(found, as_of)
    except ExportError as error:
        assume("too intricate" not in str(error))
        raise
    ufc = ufc_at(payload, at)
    for name, one in found.items():
        for unit in ("unit", "tester"):
            for subject in SUBJECTS:
                assert ufc("boolean", name, unit, subject) == serve(one, found, unit, subject, {}, at), name


MONDAY = datetime(2026, 1, 5)  # noqa: DTZ001


def test_nobody_is_let_in_beyond_what_was_written_out() -> None:
    condition = Condition.model_validate({"not": {"when": {"weekdays": ["sat", "sun"]}}})
    windows = [
        ("2026-01-05T00:00:00.000Z", "2026-01-10T00:00:00.000Z"),
        ("2026-01-12T00:00:00.000Z", "2026-01-17T00:00:00.000Z"),
    ]
    experiment = compile_flags(allocation(condition), MONDAY)["cta"]["allocations"]
    assert [(one["startAt"], one["endAt"]) for one in experiment] == windows
    rollout, default = flag("weekly", targeting=condition), (None, None)
    allocations = compiled({"weekly": rollout}, MONDAY)["weekly"]["allocations"]
    assert [(one["startAt"], one["endAt"]) for one in allocations] == [*windows, default]


@pytest.mark.integration
def test_a_flag_that_waits_for_the_default_of_a_timed_one_stops_with_it() -> None:
    never = flag("never", sdk="flagd", targeting={"when": {"until": "2020-01-01"}})
    waits = flag("waits", sdk="flagd", depends_on=[{"flag": "never", "value": False}])
    after = flag("after", sdk="flagd", depends_on=[{"flag": "waits", "value": True}])
    found = {one.id: one for one in (never, waits, after)}
    payload = compiled(found, MONDAY)
    for at, served in ((MONDAY + HORIZON - timedelta(seconds=1), True), (MONDAY + HORIZON, False)):
        with flagd_at(payload, at) as flagd:
            assert [flagd("boolean", name, "unit", {}) for name in found] == [False, served, served]


def test_windows_that_never_meet_leave_no_way_in() -> None:
    hours = {name: {"when": {"hours": given}} for name, given in (("late", [20, 23]), ("early", [6, 9]))}
    late, early = (
        flag("late", targeting=hours["late"]),
        flag("early", targeting=hours["early"], depends_on=[{"flag": "late", "value": True}]),
    )
    allocations = compiled({"late": late, "early": early}, MONDAY)["early"]["allocations"]
    assert [one["key"] for one in allocations] == ["early-off"]


def test_what_knows_no_dates_is_refused_with_the_way_out() -> None:
    condition = Condition.model_validate(
        {"all": [{"when": {"hours": [9, 17]}}, {"attribute": "age", "gt": 9}]}
    )
    timed = flag("timed", sdk="growthbook", targeting=condition)
    for refused in (
        lambda: growthbook_condition(condition),
        lambda: compiled({"timed": timed}, MONDAY),
    ):
        with pytest.raises(ExportError, match=r"cannot tell the time.*sdk: ufc or flagd"):
            refused()
