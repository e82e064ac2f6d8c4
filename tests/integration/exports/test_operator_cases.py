"""Every operator against every kind of attribute: Python and SQL say what the real SDKs serve.

The expectation is the SDK's own. Where an SDK cannot be told what the catalogue means, the difference is listed here
by value, so that a change on either side is noticed.
"""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any, Final, get_args

import pytest
from tests.definitions import NOW, flag
from tests.sdks import node_sdk, python_sdk
from tests.warehouses import Ask, duckdb_warehouse, spark_test

from fairsplit.analysis.catalogue.conditions import Condition, evaluate
from fairsplit.analysis.catalogue.hashes import Sdk
from fairsplit.assignment_exports.errors import ExportError
from fairsplit.assignment_exports.families import FAMILIES
from fairsplit.assignment_exports.flags import serve

if TYPE_CHECKING:
    from collections.abc import Callable

_MIDNIGHT: Final = 1_767_571_200_000  # 2026-01-05T00:00:00Z in milliseconds
CONDITIONS: Final[list[dict[str, Any]]] = [
    *(
        {name: values}
        for name in ("in", "not_in")
        for values in (["US", "5"], ["true", ""], ["ünï", "a\u0301"])
    ),
    *({name: value} for name in ("equals", "not_equals") for value in ("US", 5, 5.5, True, "5.0", "null")),
    {"equals": 1e21},
    {"equals": "0.0000001"},
    {"equals": 12345678901234567890},
    {"equals": "2026-01-05T00:00:00Z"},
    *({name: value} for name in ("gt", "gte", "lt", "lte") for value in (5, 5.5, 0, -1, _MIDNIGHT)),
    {"between": [5, 5.5]},
    {"between": [-1, 0]},
    {"between": [_MIDNIGHT, _MIDNIGHT + 86_399_999]},
    *(
        {name: pattern}
        for name in ("matches", "not_matches")
        for pattern in ("^US$", "(?i)us", "^[0-9]+$", "^$", "ï", "^2026-01-", "[.]5$", "a.c", "tru|nul", "😀")
    ),
    *(
        {f"semver_{name}": version}
        for name in ("equals", "gt", "gte", "lt", "lte")
        for version in ("2.1.0", "2.1", "v2", "2.1.0-rc.2", "2.1.0-rc", "2.1.0+x")
    ),
    {"is_null": True},
    {"is_null": False},
]
VALUES: Final[list[Any]] = [
    None,
    *(True, False),
    *(0, 1, 5, 5.0, 5.5, -1, -2.5, 5.25, 1e21, 1e-7, 1e300, 12345678901234567890, _MIDNIGHT, _MIDNIGHT - 1),
    *(
        "US",
        "us",
        "DE",
        "USA",
        "",
        " ",
        "null",
        "true",
        "True",
        "false",
        "5",
        "5.0",
        "5.5",
        "-1",
        "05",
        "1e1",
    ),
    *("inf", "nan", "Infinity", "0x10", "1_000", " 5", "٣", "five"),
    *("ünï", "u\u0308ni\u0308", "á", "a\u0301", "😀", "a\nc", "abc", "<b>", "'; drop table t; --", '"', "\\"),
    *("2026-01-05T00:00:00Z", "2026-01-05", "2026-01-04T23:59:59.999Z", str(_MIDNIGHT)),
    *("2.1.0", "2.1.1", "2.0.9", "10.0.0", "2.1.0-rc.2", "2.1.0-rc.10", "2.1.0-rc", "2.1.0-alpha", "2.1.0-1"),
    *("2.1.0+x", "2.1.0+a", "2.1.0-rc.2+x", "2.1.1-0", "2.1.0-rc.2.0"),
    *("2.1", "2", "v2.1.0", "02.1.0", "2.1.0.0", "2.1.0-", "2.1.0-01", "2.1.0 ", 2.1, 2),
]
ROWS: Final = [({"a": value}, None) for value in VALUES]
_PARTIAL: Final = ("2026-01-05", "2", "2.1", "5", "5.0", "5.5", str(_MIDNIGHT))
_HUGE: Final = 12345678901234567890
_NUMERIC: Final = ("gt", "gte", "lt", "lte", "between")
_SEMVER: Final = tuple(f"semver_{name}" for name in ("equals", "gt", "gte", "lt", "lte"))
_TEXT: Final = ("in", "not_in", "equals", "not_equals")
# Family, operators and the values that its SDK reads otherwise.
DIFFERENT: Final[dict[Sdk, list[tuple[tuple[str, ...], set[Any]]]]] = {
    # Eppo's core reads a text as the number that it spells; nothing in its format tells a text from a number.
    "ufc": [
        (
            _NUMERIC,
            {"5", "5.0", "5.5", "-1", "05", "1e1", "inf", "Infinity", "2.1", "2", str(_MIDNIGHT)},
        )
    ],
    # flagd's evaluators complete a version; nothing in JSON logic counts its dots. In Python whole numbers are exact.
    "flagd": [
        (_SEMVER, {2, 2.1, 0, 1, 5, 5.5, 5.25, _MIDNIGHT, _MIDNIGHT - 1, _HUGE, *_PARTIAL}),
        (_TEXT, {_HUGE}),
    ],
    "growthbook": [(_TEXT, {_HUGE})],
}


def _differs(sdk: Sdk, operator: str, value: Any) -> bool:
    return any(
        operator in operators and value in values and not isinstance(value, bool)
        for operators, values in DIFFERENT[sdk]
    )


def _conditions() -> list[Condition]:
    tests = [Condition.model_validate({"attribute": "a", **test}) for test in CONDITIONS]
    return [*tests, *(Condition.model_validate({"not": test.model_dump(by_alias=True)}) for test in tests)]


def _operator(condition: Condition) -> str:
    return (condition.parts[0] if condition.kind == "not" else condition).operator


@cache
def _in_sql() -> list[list[bool]]:
    """Whom each condition lets in by the warehouse's SQL."""
    with duckdb_warehouse() as ask:
        return [[verdict is True for verdict in row] for row in ask(_conditions(), ROWS)]


@pytest.fixture(scope="module")
def loaded() -> Callable[[Sdk], tuple[dict[int, Condition], bytes]]:
    """A string flag a condition, for those that the family can express."""

    def load(sdk: Sdk) -> tuple[dict[int, Condition], bytes]:
        compiled: dict[str, Any] = {}
        expressed: dict[int, Condition] = {}
        for number, condition in enumerate(_conditions()):
            test = flag(f"f{number}", sdk=sdk, type="string", default="out", value="in", targeting=condition)
            try:
                compiled |= FAMILIES[sdk].compile_flag(test, {}, {}, NOW, "")
            except ExportError:
                continue
            expressed[number] = condition
        return expressed, json.dumps(FAMILIES[sdk].assemble(compiled, NOW)).encode()

    return load


@pytest.mark.integration
@pytest.mark.parametrize("sdk", get_args(Sdk))
def test_python_and_sql_let_in_whom_the_sdk_lets_in(
    sdk: Sdk, loaded: Callable[[Sdk], tuple[dict[int, Condition], bytes]]
) -> None:
    expressed, payload = loaded(sdk)
    patterns = [test for test in _conditions() if _operator(test).endswith("matches")]
    assert len(expressed) == len(_conditions()) - (0 if sdk == "ufc" else len(patterns))
    served = python_sdk(sdk, payload)
    different = set()
    for number, condition in expressed.items():
        for value, in_sql in zip(VALUES, _in_sql()[number], strict=True):
            let_in = served("string", f"f{number}", "unit", {"a": value}) == "in"
            in_python = evaluate(condition, {"a": value}) is True
            assert in_sql == in_python, (condition, value)
            if _differs(sdk, _operator(condition), value):
                different |= {value} if let_in != in_python else set()
            else:
                assert let_in == in_python, (condition, value)
    # Nothing is listed in vain.
    assert different == set().union(*(values for _, values in DIFFERENT[sdk]))


@spark_test
def test_spark_says_of_every_value_what_the_evaluator_says(spark_says: Ask) -> None:
    said = spark_says(_conditions(), ROWS)
    for condition, verdicts in zip(_conditions(), said, strict=True):
        assert verdicts == [evaluate(condition, attributes) for attributes, _ in ROWS], condition


@pytest.mark.integration
def test_the_node_sdk_lets_in_whom_the_evaluator_lets_in(
    loaded: Callable[[Sdk], tuple[dict[int, Condition], bytes]],
) -> None:
    expressed, payload = loaded("growthbook")
    flags = [("string", f"f{number}") for number in expressed]
    units = [("unit", {"a": value}) for value in VALUES]
    for condition, served in zip(
        expressed.values(), node_sdk("growthbook", payload, flags, units), strict=True
    ):
        expected = ["in" if evaluate(condition, {"a": value}) is True else "out" for value in VALUES]
        assert served == expected, condition


@pytest.mark.integration
@pytest.mark.parametrize("sdk", get_args(Sdk))
def test_any_text_names_a_unit(sdk: Sdk) -> None:
    half = flag("half", sdk=sdk, rollout=0.5, overrides={"née": True, "ne\u0301e": False, " ": True})
    payload = FAMILIES[sdk].assemble(FAMILIES[sdk].compile_flag(half, {}, {}, NOW, ""), NOW)
    served = python_sdk(sdk, json.dumps(payload).encode())
    units = [
        "née",
        "ne\u0301e",
        " ",
        "  ",
        "\t",
        "a\u0000b",
        "😀",
        "👩‍👩‍👧",
        "עברית",
        "ﬁ",
        "fi",
        "\ufeff",
        "x" * 70_000,
    ]
    units += [f"{letter}-{number}" for letter in ("ß", "Ж", "中", "𝒳") for number in range(100)]
    values = [served("boolean", "half", unit, {}) for unit in units]
    assert values == [serve(half, {}, unit, {}, {}) for unit in units]
    assert 150 < sum(values) < 260
