"""Random conditions in SQL: the same true, false and unknown as the Python evaluator says."""

from __future__ import annotations

import json
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.catalogue.conditions import Condition, evaluate
from assignment_exports.condition_sql import condition_sql
from tests.conditions import trees

NAMES = ["country", "age", "app", "properties.plan", "o-neil"]
TEXTS = ["US", "DE", "true", "5", "", "ünï", "<b>", "'; drop table t; --", "null", "5.5"]
VERSIONS = [
    "1.2.0",
    "2.0.0",
    "2.0.0-beta.1",
    "2.0.0-beta.11",
    "2.0.0-beta",
    "2.0.0-1",
    "2",
    "v2.1",
    "10.0.1+x",
]
NUMBERS = [-1, 0, 5, 18, 18.5, 65, 1e300, 2**53, 1e-7, -2.5e-9, -1.25e20, 12345678901234567890]
_NAME = st.sampled_from(NAMES)
_TESTS = st.one_of(
    st.builds(
        lambda name, op, values: {"attribute": name, op: values},
        _NAME,
        st.sampled_from(["in", "not_in"]),
        st.lists(st.sampled_from([*TEXTS, True, 5, 5.5]), min_size=1, max_size=3),
    ),
    st.builds(
        lambda name, op, value: {"attribute": name, op: value},
        _NAME,
        st.sampled_from(["equals", "not_equals"]),
        st.sampled_from([*TEXTS, True, 5, 5.5, 5.0]),
    ),
    st.builds(
        lambda name, op, value: {"attribute": name, op: value},
        _NAME,
        st.sampled_from(["gt", "gte", "lt", "lte"]),
        st.sampled_from(NUMBERS),
    ),
    st.builds(
        lambda low, width: {"attribute": "age", "between": [low, low + width]},
        st.sampled_from([-1, 0, 18]),
        st.sampled_from([0, 1, 47.5]),
    ),
    st.builds(
        lambda name, op, value: {"attribute": name, op: value},
        _NAME,
        st.sampled_from(["matches", "not_matches"]),
        st.sampled_from(["^U", "S$", "^[0-9]+$", "^-?0\\.00", "5{2,}|67000$", "ï", "", "(?i)us|de", "'"]),
    ),
    st.builds(
        lambda name, op, value: {"attribute": name, op: value},
        st.sampled_from(["app", "age"]),
        st.sampled_from(["semver_equals", "semver_gt", "semver_gte", "semver_lt", "semver_lte"]),
        st.sampled_from(VERSIONS),
    ),
    st.builds(lambda name, value: {"attribute": name, "is_null": value}, _NAME, st.booleans()),
)
CONDITIONS = trees(_TESTS)
VALUES = st.sampled_from([None, True, False, *TEXTS, *VERSIONS, *NUMBERS, 5.0, "not a version", "3.x"])
ATTRIBUTES = st.dictionaries(_NAME, VALUES, max_size=5)


@pytest.fixture(scope="module")
def connection() -> Any:
    with duckdb.connect() as opened:
        yield opened


@settings(max_examples=400, deadline=None)
@given(tree=CONDITIONS, subjects=st.lists(ATTRIBUTES, min_size=1, max_size=8))
def test_sql_says_what_the_evaluator_says(
    connection: duckdb.DuckDBPyConnection, tree: Any, subjects: list[dict[str, Any]]
) -> None:
    condition = Condition.model_validate(tree)
    rows = [json.dumps(subject) for subject in subjects]
    found = connection.execute(
        f"select {condition_sql(condition, 'a')} from (select unnest(?::json[]) as a, generate_subscripts(?, 1) as n) "
        "order by n",
        [rows, rows],
    ).fetchall()
    assert [verdict for (verdict,) in found] == [evaluate(condition, subject) for subject in subjects]
