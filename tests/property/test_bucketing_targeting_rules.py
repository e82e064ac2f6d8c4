"""Random conditions: the SDK serves exactly those units for whom the Python evaluator says true."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conditions import trees
from tests.sdks import eppo

from fairsplit.analysis.catalogue.conditions import Condition, evaluate
from fairsplit.analysis.catalogue.shards import shard_ranges
from fairsplit.assignment_exports.allocation import Allocation, AllocationPhase
from fairsplit.assignment_exports.ufc import assemble, compile_flags

START = datetime(2026, 1, 5)  # noqa: DTZ001 - instants are naive UTC in this project
TEXTS = ["US", "DE", "true", "5", "", "ünï", "<b>"]
VERSIONS = ["1.2.0", "2.0.0", "2.0.0-beta.1", "10.0.1"]

_tests = st.one_of(
    st.builds(
        lambda op, values: {"attribute": "country", op: values},
        st.sampled_from(["in", "not_in"]),
        st.lists(st.sampled_from(TEXTS), min_size=1, max_size=3),
    ),
    st.builds(
        lambda op, value: {"attribute": "country", op: value},
        st.sampled_from(["equals", "not_equals"]),
        st.sampled_from([*TEXTS, True, 5]),
    ),
    st.builds(
        lambda op, value: {"attribute": "age", op: value},
        st.sampled_from(["gt", "gte", "lt", "lte"]),
        st.sampled_from([-1, 0, 18, 18.5, 65]),
    ),
    st.builds(
        lambda low, width: {"attribute": "age", "between": [low, low + width]},
        st.sampled_from([-1, 0, 18]),
        st.sampled_from([0, 1, 47.5]),
    ),
    st.builds(
        lambda op, value: {"attribute": "country", op: value},
        st.sampled_from(["matches", "not_matches"]),
        st.sampled_from(["^U", "S$", "^[0-9]+$", "ï", ""]),
    ),
    st.builds(
        lambda op, value: {"attribute": "app", op: value},
        st.sampled_from(["semver_equals", "semver_gt", "semver_gte", "semver_lt", "semver_lte"]),
        st.sampled_from([*VERSIONS, "2", "2.0"]),
    ),
    st.builds(
        lambda name, value: {"attribute": name, "is_null": value},
        st.sampled_from(["country", "age", "app"]),
        st.booleans(),
    ),
)
CONDITIONS = trees(_tests)
ATTRIBUTES = st.fixed_dictionaries(
    {},
    optional={
        "country": st.sampled_from([*TEXTS, None, True, 5, 5.0]),
        "age": st.sampled_from([None, -1, 0, 18, 18.5, 64, 65.5, 100]),
        "app": st.sampled_from([None, *VERSIONS, "not a version"]),
    },
)


@pytest.mark.integration
@settings(max_examples=300, deadline=None)
@given(CONDITIONS, st.lists(ATTRIBUTES, min_size=1, max_size=8))
def test_the_sdk_lets_in_whom_the_evaluator_lets_in(tree: Any, subjects: list[dict[str, Any]]) -> None:
    condition = Condition.model_validate(tree)
    phase = AllocationPhase(START, None, 10_000, "t", "s", shard_ranges({"in": 1.0}))
    allocation = Allocation("cta", "running", (phase,), None, condition, {"in": {}}, "in", None)
    client = eppo(assemble(compile_flags(allocation, START), START))
    served = [client.get_string_assignment("cta", "unit", subject, "out") for subject in subjects]
    assert served == ["in" if evaluate(condition, subject) is True else "out" for subject in subjects]
