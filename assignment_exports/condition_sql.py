"""Conditions as DuckDB SQL over one column of JSON objects, so that the warehouse counts whom an SDK would let in.

SQL's three-valued logic is the catalogue's: *unknown* is null, ``not``, ``and`` and ``or`` treat it alike. Attribute
names and operands become literals by SQL's quoting alone; nothing of them is ever run.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from analysis.catalogue.conditions import COMPLETE_VERSION, as_text, complete_version
from analysis.catalogue.times import HOLIDAY_YEARS, WEEKDAYS

if TYPE_CHECKING:
    from analysis.catalogue.conditions import Condition
    from analysis.catalogue.times import When

_COMPARE: Final = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<=", "equals": "="}
_NUMERIC: Final = frozenset({"gt", "gte", "lt", "lte", "between"})
_NUMBERS: Final = "('BIGINT', 'UBIGINT', 'HUGEINT', 'UHUGEINT', 'DOUBLE')"
_SCIENTIFIC: Final = r"^(-?\d)(?:\.(\d+))?e([+-]\d+)$"
_VERSION: Final = f"^{COMPLETE_VERSION}$"


def condition_sql(condition: Condition, attributes: str = "attributes", instant: str | None = None) -> str:
    r"""A condition without named segments as a boolean expression; null where the catalogue says *unknown*.

    Patterns are matched by RE2, where the SDKs' core and the Python evaluator use Rust's engine: the syntax is the
    same, but RE2's ``\d``, ``\w`` and ``\s`` know ASCII only.

    Args:
        condition: A checked condition.
        attributes: The SQL of a JSON column with one object a unit; a key with null is a missing attribute.
        instant: The SQL of a timestamp, naive UTC; without one, what depends on time is unknown.

    Returns:
        An expression for ``select`` or ``where``.
    """
    if condition.kind == "not":
        return f"(not {condition_sql(condition.parts[0], attributes, instant)})"
    if condition.kind in {"all", "any"}:
        word = " and " if condition.kind == "all" else " or "
        return f"({word.join(condition_sql(part, attributes, instant) for part in condition.parts)})"
    if condition.when is not None:
        return "cast(null as boolean)" if instant is None else f"({_time(condition.when, instant)})"
    value = f"json_extract({attributes}, {_literal(json_pointer(str(condition.attribute)))})"
    return f"({_test(condition.operator, condition.operand, value)})"


def _time(when: When, instant: str) -> str:
    local = f"(({instant}) at time zone 'UTC') at time zone {_literal(when.zone)}"
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
        listed = ", ".join(str(WEEKDAYS.index(name) + 1) for name in when.weekdays)
        parts.append(f"isodow({local}) in ({listed})")
    parts += [f"list_contains({sorted(months)}, month({local}))" for months in when.all_months]
    days_off = when.days_off
    if days_off is not None:
        listed = ", ".join(f"date '{one}'" for one in sorted(days_off))
        known = f"year({local}) between {HOLIDAY_YEARS[0]} and {HOLIDAY_YEARS[-1]}"
        parts.append(f"case when {known} then list_contains([{listed}], {day}) end")
    return " and ".join(parts)


def _test(operator: str, operand: Any, value: str) -> str:
    kind, text = f"json_type({value})", _text(value)
    missing = f"({kind} is null or {kind} = 'NULL')"
    if operator == "is_null":
        return missing if operand else f"not {missing}"
    if operator.startswith("not_"):
        return f"not ({_test(operator.removeprefix('not_'), operand, value)})"
    if operator in _NUMERIC:
        number = f"case when {kind} in {_NUMBERS} then cast({value} as double) end"
        if operator == "between":
            return f"{number} between {_number(operand[0])} and {_number(operand[1])}"
        return f"{number} {_COMPARE[operator]} {_number(operand)}"
    return _text_test(operator, operand, text)


def _text_test(operator: str, operand: Any, text: str) -> str:
    if operator in {"in", "equals"}:
        items = operand if operator == "in" else (operand,)
        return f"{text} in ({', '.join(_literal(as_text(item)) for item in items)})"
    if operator == "matches":
        return f"regexp_matches({text}, {_literal(operand)})"
    sign = _COMPARE[operator.removeprefix("semver_")]
    return f"{_version(text)} {sign} {_version(_literal(complete_version(operand) or ''))}"


def _text(value: str) -> str:
    """A JSON scalar as the SDKs write it: a number's shortest digits, without exponent and without ``.0``."""
    plain = f"json_extract_string({value}, '$')"
    digits = f"cast(cast({plain} as double) as varchar)"
    lead, fraction, power = (f"regexp_extract({digits}, {_literal(_SCIENTIFIC)}, {n})" for n in (1, 2, 3))
    large = f"{lead} || rpad({fraction}, cast({power} as int), '0')"
    small = (
        f"replace({lead}, right({lead}, 1), '0.') || repeat('0', -1 - cast({power} as int)) "
        f"|| right({lead}, 1) || {fraction}"
    )
    return (
        f"case when json_type({value}) = 'NULL' then null "
        f"when json_type({value}) not in {_NUMBERS} then {plain} "
        f"when {power} = '' then regexp_replace({digits}, '\\.0$', '') "
        f"when starts_with({power}, '-') then {small} else {large} end"
    )


def _version(text: str) -> str:
    """A key that orders as semver.org's §11 does: core numbers, release after pre-release, labels one by one."""
    part = f"regexp_extract({text}, {_literal(_VERSION)}, %d)"
    core = ", ".join(f"coalesce(try_cast({part % number} as bigint), 0)" for number in (1, 2, 3))
    label = (
        "row(cast(not regexp_full_match(label, '[0-9]+') as int), "
        "case when regexp_full_match(label, '[0-9]+') then cast(label as hugeint) else 0 end, "
        "case when regexp_full_match(label, '[0-9]+') then '' else label end)"
    )
    labels = f"list_transform(string_split({part % 4}, '.'), lambda label: {label})"
    key = f"row({core}, cast({part % 4} = '' as int), case when {part % 4} = '' then [] else {labels} end)"
    return f"case when regexp_matches({text}, {_literal(_VERSION)}) then {key} end"


def _number(operand: Any) -> str:
    return f"cast({_literal(repr(operand))} as double)"


def json_pointer(attribute: str) -> str:
    """Where an object holds a key, as DuckDB's JSON functions read it."""
    return "$." + json.dumps(attribute, ensure_ascii=False)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
