"""Boxes on the map: evaluator, SQL and the SDKs of all families let in exactly the whole degrees inside."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.sdks import eppo, flagd_lets_in, growthbook_lets_in
from tests.warehouses import Ask

from fairsplit.analysis.catalogue.conditions import Condition, evaluate
from fairsplit.analysis.catalogue.shards import shard_ranges
from fairsplit.assignment_exports.allocation import Allocation, AllocationPhase, inline_segments
from fairsplit.assignment_exports.ufc import assemble, compile_flags

START = datetime(2026, 1, 5)  # noqa: DTZ001 - instants are naive UTC in this project
LATITUDE, LONGITUDE = st.integers(-90, 90), st.integers(-180, 180)
NAMES = st.sampled_from([("latitude", "longitude"), ("lat", "lon")])
ODD = st.sampled_from([None, "north", True])


def meridians(west: int, east: int) -> set[int]:
    """The whole degrees met on the way from west to east."""
    met = {west}
    while west != east:
        west = west + 1 if west < 180 else -180
        met.add(west)
    return met


@pytest.mark.integration
@settings(max_examples=150, deadline=None)
@given(
    st.tuples(LATITUDE, LATITUDE).map(sorted),
    LONGITUDE,
    LONGITUDE,
    NAMES,
    st.lists(st.tuples(LATITUDE | ODD, LONGITUDE | ODD), min_size=1, max_size=8),
    st.booleans(),
)
def test_all_targets_let_in_whom_the_box_holds(
    duckdb_says: Ask,
    latitude: list[int],
    west: int,
    east: int,
    names: tuple[str, str],
    points: list[tuple[Any, Any]],
    negated: bool,
) -> None:
    box: dict[str, Any] = {"within": {"latitude": latitude, "longitude": [west, east]}}
    if names != ("latitude", "longitude"):
        box["within"]["attributes"] = list(names)
    condition = Condition.model_validate({"not": box} if negated else box)
    across = meridians(west, east)
    expected = []
    for north, along in points:
        # A number or nothing: a text or a truth value is no degree. One part that is false settles it.
        in_latitude = latitude[0] <= north <= latitude[1] if type(north) is int else None
        in_longitude = along in across if type(along) is int else None
        sides = {in_latitude, in_longitude}
        inside = False if False in sides else None if None in sides else True
        expected.append(None if inside is None else inside is not negated)
    subjects = [dict(zip(names, point, strict=True)) for point in points]
    assert [evaluate(condition, subject) for subject in subjects] == expected

    assert duckdb_says([condition], [(subject, None) for subject in subjects]) == [expected]

    let_in = [verdict is True for verdict in expected]
    phase = AllocationPhase(START, None, 10_000, "t", "s", shard_ranges({"in": 1.0}))
    targeting = inline_segments(condition, {})
    allocation = Allocation("cta", "running", (phase,), None, targeting, {"in": {}}, "in", None)
    client = eppo(assemble(compile_flags(allocation, START), START))
    assert [
        client.get_string_assignment("cta", "unit", subject, "out") == "in" for subject in subjects
    ] == let_in
    for ask in (flagd_lets_in(targeting), growthbook_lets_in(targeting)):
        assert [ask(subject) for subject in subjects] == let_in
