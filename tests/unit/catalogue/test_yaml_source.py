from __future__ import annotations

import contextlib
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.problems import told

from fairsplit.analysis.catalogue.yaml_source import YamlFaultError, parse_yaml, read_yaml


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("NO", "NO"),
        ("yes", "yes"),
        ("on", "on"),
        ("true", True),
        ("12:30", "12:30"),
        ("2026-01-05", "2026-01-05"),
        ("010", 10),
        ("1e-3", 0.001),
        ("1_000", "1_000"),
        (".5", 0.5),
        (".inf", math.inf),
        ("-.Inf", -math.inf),
        ("~", None),
        ("", None),
        ("=", "="),
        ("<<", "<<"),
        ("'7'", "7"),
    ],
)
def test_scalars_mean_what_yaml_1_2_says(text, expected):
    value = parse_yaml(f"key: {text}\n", "a.yaml").data["key"]
    assert value == expected
    assert type(value) is type(expected)


def test_nan_is_read_as_nan():
    assert math.isnan(parse_yaml("key: .nan\n", "a.yaml").data["key"])


def test_every_key_and_item_has_its_line():
    document = parse_yaml("a: 1\nb:\n  - x\n  - c:\n      d: 2\n", "a.yaml")
    assert document.place(("b", 1, "c", "d")) == "a.yaml:5 b[1].c.d"
    assert document.place(("b", 1, "missing")) == "a.yaml:4 b[1].missing"
    assert document.place(()) == "a.yaml:1"


LOOK = "Hint: look at quotes, brackets and the indentation of this line and the one before"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "a: " + "[" * 60 + "]" * 60,
            "a.yaml:1: not valid YAML: nested deeper than 50 levels (a: [[[["
            + "[" * 56
            + "]" * 17
            + f": YAML). {LOOK}",
        ),
        (
            "a: " + "9" * 5000,
            f"a.yaml:1 a: an integer is too long ({'9' * 80}: ≤ 30 digits). Hint: put it in quotes if it is a text",
        ),
        ("a: 1\n---\nb: 2\n", f"a.yaml:2: not valid YAML: but found another document (---: YAML). {LOOK}"),
        (
            "a: !!binary aGk=\n",
            (
                "a.yaml:1 a: a YAML tag is not allowed (tag:yaml.org,2002:binary: plain text, numbers, lists and "
                "mappings). Hint: take the tag away"
            ),
        ),
        (
            "? [a, b]\n: c\n",
            "a.yaml:1: a key must be text (a list or a mapping: one text). Hint: put the key in quotes",
        ),
        (
            "a: 1\nb: x\x07\n",
            "a.yaml:2: the file holds a control character (#x0007: plain text). Hint: take the character away",
        ),
        (
            "a: &x {b: *x}\n",
            "a.yaml:1: not valid YAML: alias '*x' is not allowed (a: &x {b: *x}: YAML). " + LOOK,
        ),
    ],
)
def test_what_is_not_plain_data_is_refused(text, message):
    with pytest.raises(YamlFaultError) as caught:
        parse_yaml(text, "a.yaml")
    assert told(caught.value) == message


def test_a_file_that_cannot_be_read_is_a_problem(tmp_path):
    with pytest.raises(YamlFaultError, match=r"^gone.yaml: the file cannot be read"):
        read_yaml(tmp_path / "gone.yaml", "gone.yaml")


def test_a_huge_file_is_refused(tmp_path):
    path = tmp_path / "big.yaml"
    path.write_text("# " + "x" * 1_000_001)
    with pytest.raises(YamlFaultError, match="the file is too large"):
        read_yaml(path, "big.yaml")


@given(st.text(max_size=200))
def test_any_text_is_data_or_a_told_fault(text):
    with contextlib.suppress(YamlFaultError):
        parse_yaml(text, "a.yaml")
