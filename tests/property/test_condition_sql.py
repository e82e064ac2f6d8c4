"""Random conditions in SQL: the same true, false and unknown as the Python evaluator says."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conditions import trees
from tests.warehouses import Ask, spark_test

from fairsplit.analysis.catalogue.conditions import Condition, evaluate

NAMES = ["country", "age", "app", "properties.plan", "o-neil"]
TEXTS = [
    "US",
    "DE",
    "true",
    "5",
    "-0",
    "",
    "ünï",
    "<b>",
    "'; drop table t; --",
    "null",
    "5.5",
    "a\\b",
    "${env:HOME}",
    "a\nb",
    '"',
    "😀",
    "%",
]
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
NUMBERS = [-1, 0, 5, 18, 18.5, 65, 1e300, 2**53, 2**53 + 1, 1e-7, -2.5e-9, -1.25e20, 12345678901234567890]
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
        st.sampled_from(
            [
                "^U",
                "S$",
                "^[0-9]+$",
                "^-?0\\.00",
                "5{2,}|67000$",
                "ï",
                "",
                "(?i)us|de",
                "'",
                "^a.b$",
                "\\\\",
                "b$",
                "[$][{]env",
                "^.$",
            ]
        ),
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
VALUES = st.sampled_from([None, True, False, *TEXTS, *VERSIONS, *NUMBERS, 5.0, -0.0, "not a version", "3.x"])
ATTRIBUTES = st.dictionaries(_NAME, VALUES, max_size=5)


def agree(ask: Ask, trees: list[Any], subjects: list[dict[str, Any]]) -> None:
    conditions = [Condition.model_validate(tree) for tree in trees]
    expected = [[evaluate(condition, subject) for subject in subjects] for condition in conditions]
    assert ask(conditions, [(subject, None) for subject in subjects]) == expected


@settings(max_examples=400, deadline=None)
@given(CONDITIONS, st.lists(ATTRIBUTES, min_size=1, max_size=8))
def test_duckdb_says_what_the_evaluator_says(
    duckdb_says: Ask, tree: Any, subjects: list[dict[str, Any]]
) -> None:
    agree(duckdb_says, [tree], subjects)


@spark_test
# A query of Spark's costs a second whatever it asks, so each asks a lot.
@settings(max_examples=8, deadline=None)
@given(st.lists(CONDITIONS, min_size=20, max_size=40), st.lists(ATTRIBUTES, min_size=10, max_size=30))
def test_spark_says_what_the_evaluator_says(
    spark_says: Ask, trees: list[Any], subjects: list[dict[str, Any]]
) -> None:
    agree(spark_says, trees, subjects)
