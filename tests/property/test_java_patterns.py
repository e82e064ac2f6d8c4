"""Random patterns, written for Java's engine, are found where Rust's finds them."""

from __future__ import annotations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.warehouses import Ask, spark_test

from fairsplit.analysis.catalogue.conditions import Condition, evaluate
from fairsplit.assignment_exports.dialects.java_patterns import java_pattern
from fairsplit.assignment_exports.errors import ExportError

# What the two engines know differently: line breaks, letters with odd cases, digits and blanks beyond ASCII.
SIGNS = (
    "aAbBiIkKsS1_-.\\ \n\r\u0085\u2028\u0130\u0131\u017f\u212a\u00df\u1e9e\u0663\u00a0\u0301\u00e9😀&~[]^$"
)
TEXTS = st.text(st.sampled_from(SIGNS), max_size=4)
_CLASSES = [
    "[a-k]",
    "[^a]",
    "[^\\n]",
    "[a&&b]",
    "[\\w--a]",
    "[[:alpha:]_]",
    "[]a]",
    "[^]-]",
    "[\\d\\s]",
    "[é😀]",
]
_ESCAPES = [
    r"\d",
    r"\D",
    r"\w",
    r"\W",
    r"\s",
    r"\S",
    r"\n",
    r"\.",
    r"\\",
    r"\x41",
    r"\x{1F600}",
    r"\pL",
    r"\p{Greek}",
]
_ATOMS = st.sampled_from([*"abikS1_ &~", "İ", "ß", "é", "😀", ".", *_CLASSES, *_ESCAPES])
_EDGES = st.sampled_from(["^", "$", r"\A", r"\z", r"\b", r"\B"])
PATTERNS = st.recursive(
    _ATOMS | _EDGES,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.builds(
            "(?:{}){}".format, inner, st.sampled_from(["*", "+", "?", "{2}", "{1,}", "{0,2}", "*?", "??"])
        ),
        st.builds("{}({}|{})".format, st.sampled_from(["", "(?i)", "(?s)", "(?-i)"]), inner, inner),
        st.builds("(?i){}(?-i){}".format, inner, inner),
        st.builds("({}{})".format, st.sampled_from(["?:", "?i:", "?s-i:", "?is:", "?P<x>", "?<y>"]), inner),
    ),
    max_leaves=6,
)


@spark_test
@settings(max_examples=3, deadline=None)
@given(st.lists(PATTERNS, min_size=50, max_size=80), st.lists(TEXTS, min_size=50, max_size=80))
def test_spark_finds_what_the_evaluator_finds(spark_says: Ask, patterns: list[str], texts: list[str]) -> None:
    # A name is given to one group only.
    patterns = [one for one in patterns if one.count("?P<x>") < 2 and one.count("?<y>") < 2]
    assume(patterns)
    conditions = [Condition.model_validate({"attribute": "a", "matches": pattern}) for pattern in patterns]
    rows = [({"a": text}, None) for text in texts]
    for condition, verdicts in zip(conditions, spark_says(conditions, rows), strict=True):
        assert verdicts == [evaluate(condition, attributes) for attributes, _ in rows], condition.matches


@pytest.mark.parametrize(
    ("pattern", "written"),
    [
        ("^US$", r"\AUS\z"),
        ("(?i)us|de", r"[Uu][Ss\x{17F}]|[Dd][Ee]"),
        ("a(?i:b)c(?P<x>d)", "a(?:[Bb])c(?:d)"),
        ("((?i)a)b", "(?:[Aa])b"),
        ("(?i)a(?-i)b", "[Aa]b"),
        (".+?", r"[^\x{A}]+"),
        ("(?s).", r"[\x{0}-\x{10FFFF}]"),
        ("[^,]{2,}", r"[^\,]{2,}"),
        ("[a&&b]", r"[^\x{0}-\x{10FFFF}]"),
        (r"\bé", r"(?U:\b)\x{E9}"),
        (
            r"\s",
            r"[\x{9}-\x{D} \x{85}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}-\x{2029}\x{202F}\x{205F}\x{3000}]",
        ),
    ],
)
def test_a_pattern_is_written_for_java(pattern: str, written: str) -> None:
    assert java_pattern(pattern) == written


@pytest.mark.parametrize(
    "pattern", ["a*+", "a**", "a{2}{3}", "(?m)^a", "(?x) a", "(?-u:a)", "(?U)a*", r"\<a", r"\b{start}a"]
)
def test_what_java_reads_otherwise_is_refused(pattern: str) -> None:
    evaluate(Condition.model_validate({"attribute": "a", "matches": pattern}), {"a": ""})  # Rust takes it
    with pytest.raises(ExportError, match="may read the pattern otherwise") as refused:
        java_pattern(pattern)
    assert pattern in str(refused.value)
