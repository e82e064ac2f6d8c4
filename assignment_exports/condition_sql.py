"""Conditions as SQL over one column of attributes, so that a warehouse counts whom an SDK would let in.

SQL's three-valued logic is the catalogue's: *unknown* is null, ``not``, ``and`` and ``or`` treat it alike.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from fairsplit.analysis.catalogue.conditions import COMPLETE_VERSION, as_number, as_text, complete_version
from fairsplit.analysis.catalogue.times import HOLIDAY_YEARS, WEEKDAYS
from fairsplit.assignment_exports.dialects import DUCKDB

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fairsplit.analysis.catalogue.conditions import Condition
    from fairsplit.analysis.catalogue.times import When
    from fairsplit.assignment_exports.dialects import Dialect

_COMPARE: Final = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<=", "equals": "="}
_NUMERIC: Final = frozenset({"gt", "gte", "lt", "lte"})
_DIGIT: Final = re.compile(r"[0-9]")
_VERSION: Final = rf"\A{COMPLETE_VERSION}\z"


def condition_sql(
    condition: Condition,
    attributes: str = "attributes",
    instant: str | None = None,
    dialect: Dialect = DUCKDB,
) -> str:
    """A condition without named segments as a boolean expression; null where the catalogue says *unknown*.

    Args:
        condition: A checked condition.
        attributes: The SQL of a column with one object a unit, of the dialect's type; a key with null is a missing
            attribute.
        instant: The SQL of an instant, of the dialect's type; without one, what depends on time is unknown.
        dialect: Whose SQL it is.

    Returns:
        An expression for ``select`` or ``where``.

    Raises:
        ExportError: The dialect's engine would read a pattern otherwise.
    """
    parts = [condition_sql(part, attributes, instant, dialect) for part in condition.parts]
    match condition.kind:
        case "not":
            return f"(not {parts[0]})"
        case "all":
            return f"({' and '.join(parts)})"
        case "any":
            return f"({' or '.join(parts)})"
    if condition.when is not None:
        return "cast(null as boolean)" if instant is None else f"({_time(condition.when, instant, dialect)})"
    return f"({_test(condition.operator, condition.operand, attributes, str(condition.attribute), dialect)})"


def _time(when: When, instant: str, dialect: Dialect) -> str:
    local = dialect.local(instant, when.zone)
    day = f"cast({local} as date)"
    parts = []
    if when.from_ is not None:
        parts.append(f"{day} >= date '{when.from_}'")
    if when.until is not None:
        parts.append(f"{day} < date '{when.until}'")
    if when.hours is not None:
        first, end = when.hours
        word = "and" if first <= end else "or"
        parts.append(f"(hour({local}) >= {first} {word} hour({local}) < {end})")
    if when.weekdays is not None:
        parts.append(_one_of(dialect.weekday(day), (WEEKDAYS.index(name) + 1 for name in when.weekdays)))
    parts += [_one_of(f"month({day})", sorted(months)) for months in when.all_months]
    if when.days_off is not None:
        known = f"year({day}) between {HOLIDAY_YEARS[0]} and {HOLIDAY_YEARS[-1]}"
        days_off = _one_of(day, (f"date '{one}'" for one in sorted(when.days_off)))
        parts.append(f"case when {known} then {days_off} end")
    return " and ".join(parts)


def _test(operator: str, operand: Any, attributes: str, name: str, dialect: Dialect) -> str:
    if operator.startswith("not_"):
        return f"not ({_test(operator.removeprefix('not_'), operand, attributes, name, dialect)})"
    text, number = dialect.text(attributes, name), dialect.number(attributes, name)
    if operator == "is_null":
        return f"{text} is {'null' if operand else 'not null'}"
    if operator == "between":
        return f"{number} between {_double(operand[0])} and {_double(operand[1])}"
    if operator in _NUMERIC:
        return f"{number} {_COMPARE[operator]} {_double(operand)}"
    return _text_test(operator, operand, text, number, dialect)


def _text_test(operator: str, operand: Any, text: str, number: str, dialect: Dialect) -> str:
    if operator in {"in", "equals"}:
        texts = [as_text(item) for item in (operand if operator == "in" else (operand,))]
        of_text = _one_of(text, map(dialect.literal, texts))
        if not any(map(_DIGIT.search, texts)):
            return of_text  # a number is written with a digit, in whichever way
        numbers = [_double(item) for item in map(as_number, texts) if item is not None]
        return f"case when {number} is null then {of_text} else {_one_of(number, numbers)} end"
    if operator == "matches":
        shown = f"case when {number} is null then {text} else {dialect.digits(number)} end"
        return f"{dialect.finds}({shown}, {dialect.literal(dialect.pattern(operand))})"
    wanted = dialect.literal(complete_version(operand) or "")
    sign = _COMPARE[operator.removeprefix("semver_")]
    return f"{_version(text, dialect)} {sign} {_version(wanted, dialect)}"


def _version(text: str, dialect: Dialect) -> str:
    """A text that orders as semver.org's §11 does: core numbers, labels one by one, the release after all of them."""

    def is_like(value: str, pattern: str) -> str:
        return f"{dialect.finds}({value}, {dialect.literal(pattern)})"

    def label_key(label: str) -> str:
        number = is_like(label, r"\A[0-9]+\z")
        return f"case when {number} then '0' || lpad({label}, 18, '0') else '1' || {label} end"

    *core, labels = (
        f"regexp_extract({text}, {dialect.literal(_VERSION)}, {group})" for group in (1, 2, 3, 4)
    )
    numbers = " || ".join(f"lpad({number}, 18, '0')" for number in core)
    last = f"case when {labels} = '' then '~' else {dialect.labels(labels, label_key)} end"
    return f"case when {is_like(text, _VERSION)} then {numbers} || {last} end"


def _one_of(value: str, listed: Iterable[object]) -> str:
    items = ", ".join(map(str, listed))
    return f"{value} in ({items})" if items else "false"


def _double(number: float) -> str:
    return f"cast('{number!r}' as double)"
