"""A pattern that a definition may hold is read by both engines that match it, Rust's and RE2."""

from __future__ import annotations

import duckdb
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fairsplit.analysis.catalogue.conditions import pattern_is_valid

PIECES = (
    *("a", "1", " ", "é", ".", "^", "$", "-", ",", "\\", "|", "&&", "--"),
    *("\\d", "\\w", "\\b", "\\.", "\\1", "\\pL", "\\p{Greek}", "\\x{41}", "\\u{41}", "\\b{start}", "\\<"),
    *("[", "]", "[a-z]", "[^a]", "[[:alpha:]]", "*", "+", "?", "{", "}", "{2}", "{1,3}", "{3,}", "{1001}"),
    *("(", ")", "(?:", "(?P<n>", "(?i)", "(?s-m:", "(?x)", "(?<n>", "(?u:", "(?=", "(?!"),
)


def re2_reads(pattern: str) -> bool:
    with duckdb.connect() as connection:
        try:
            connection.execute("select regexp_matches('x', ?)", [pattern]).fetchall()
        except duckdb.Error:
            return False
    return True


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=6).map("".join))
@example("(?x) a")
@example("(?<n>a)")
@example("a{1001}")
@example("a{2,1001}")
@example("a{1001,}")
@example("a**")
@example("[\\w--\\d]")
def test_what_is_accepted_is_read_by_both(pattern: str) -> None:
    if pattern_is_valid(pattern):
        assert re2_reads(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        "^/shop/",
        "(?i)chrome|safari",
        "[a-z]{2,}-\\d+",
        "a{999}",
        "\\p{Greek}+",
        "^(a+)+$",
        "a--b",
        "[*+]+",
        "a*?b",
    ],
)
def test_ordinary_patterns_are_accepted(pattern: str) -> None:
    assert pattern_is_valid(pattern)
