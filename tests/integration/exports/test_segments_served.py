"""Targeting on a behavioural segment: every family lets in exactly whom the exported attribute says to be in."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from tests.sdks import eppo, flagd_lets_in, growthbook_lets_in

from fairsplit.analysis.catalogue.conditions import Condition, evaluate
from fairsplit.analysis.catalogue.flags import Flag, Segment
from fairsplit.analysis.catalogue.shards import shard_ranges
from fairsplit.assignment_exports.allocation import Allocation, AllocationPhase
from fairsplit.assignment_exports.condition_sql import condition_sql
from fairsplit.assignment_exports.eligibility import inline_segments
from fairsplit.assignment_exports.ufc import assemble, compile_flags
from fairsplit.assignment_exports.ufc_flags import ufc_flag

START = datetime(2026, 1, 5)  # noqa: DTZ001 - instants are naive UTC in this project
LOYAL = Segment.model_validate(
    {"id": "loyal-ones", "name": "Loyal", "behaviour": {"days": 28, "all": [{"event": "purchase", "gte": 3}]}}
)
NAMED = {LOYAL.id: LOYAL.membership}
LINES: list[dict[str, Any]] = [  # as segments/user.jsonl has them; a unit without a line has no attribute
    {"segment:loyal-ones": True, "purchases": 4.0},
    {"segment:loyal-ones": False, "purchases": 1.0},
    {"segment:loyal-ones": None},
    {},
]


@pytest.mark.integration
@pytest.mark.parametrize(
    ("tree", "let_in"),
    [
        ({"segment": "loyal-ones"}, [True, False, False, False]),
        ({"not": {"segment": "loyal-ones"}}, [False, True, False, False]),
        (
            {"any": [{"segment": "loyal-ones"}, {"attribute": "purchases", "lt": 2}]},
            [True, True, False, False],
        ),
    ],
)
def test_the_exported_line_decides(tree: dict[str, Any], let_in: list[bool]) -> None:
    named = Condition.model_validate(tree)
    targeting = inline_segments(named, NAMED)
    assert [evaluate(named, line, NAMED) is True for line in LINES] == let_in
    assert "segment:loyal-ones" in condition_sql(targeting)

    phase = AllocationPhase(START, None, 10_000, "t", "s", shard_ranges({"in": 1.0}))
    allocation = Allocation("cta", "running", (phase,), None, targeting, {"in": {}}, "in", None)
    flag = Flag.model_validate(
        {
            "id": "gift",
            "name": "Gift",
            "owner": "a@example.com",
            "type": "boolean",
            "default": False,
            "targeting": tree,
        }
    )
    client = eppo(
        assemble(compile_flags(allocation, START) | ufc_flag(flag, {"gift": flag}, NAMED, START), START)
    )
    assert [client.get_string_assignment("cta", "unit", line, "out") == "in" for line in LINES] == let_in
    assert [client.get_boolean_assignment("gift", "unit", line, False) for line in LINES] == let_in
    for ask in (flagd_lets_in(targeting), growthbook_lets_in(targeting)):
        assert [ask(line) for line in LINES] == let_in
