r"""DuckDB's SQL: attributes are a JSON column with one object a unit, an instant is a timestamp in UTC without zone.

Patterns are matched by RE2, where the SDKs' core and the Python evaluator use Rust's engine: the syntax is the same,
but RE2's ``\d``, ``\w`` and ``\s`` know ASCII only.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from fairsplit.assignment_exports.dialects.dialect import Dialect

if TYPE_CHECKING:
    from collections.abc import Callable

_NUMBERS: Final = "('BIGINT', 'UBIGINT', 'HUGEINT', 'UHUGEINT', 'DOUBLE')"
_SCIENTIFIC: Final = r"^(-?\d)(?:\.(\d+))?e([+-]\d+)$"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def json_pointer(attribute: str) -> str:
    """Where an object holds a key, as DuckDB's JSON functions read it."""
    return "$." + json.dumps(attribute, ensure_ascii=False)


def _text(attributes: str, name: str) -> str:
    return f"json_extract_string({attributes}, {_literal(json_pointer(name))})"


def _number(attributes: str, name: str) -> str:
    kind = f"json_type({attributes}, {_literal(json_pointer(name))})"
    return f"case when {kind} in {_NUMBERS} then cast({_text(attributes, name)} as double) end"


def _digits(number: str) -> str:
    shown = f"cast(({number}) + 0.0 as varchar)"  # zero has no sign
    lead, fraction, power = (f"regexp_extract({shown}, {_literal(_SCIENTIFIC)}, {n})" for n in (1, 2, 3))
    large = f"{lead} || rpad({fraction}, cast({power} as int), '0')"
    small = (
        f"replace({lead}, right({lead}, 1), '0.') || repeat('0', -1 - cast({power} as int)) "
        f"|| right({lead}, 1) || {fraction}"
    )
    return (
        f"case when {power} = '' then regexp_replace({shown}, '\\.0$', '') "
        f"when starts_with({power}, '-') then {small} else {large} end"
    )


def _labels(dotted: str, each: Callable[[str], str]) -> str:
    return f"array_to_string(list_transform(string_split({dotted}, '.'), lambda label: {each('label')}), ' ')"


DUCKDB: Final = Dialect(
    literal=_literal,
    text=_text,
    number=_number,
    digits=_digits,
    finds="regexp_matches",
    pattern=str,
    labels=_labels,
    local=lambda instant, zone: f"(({instant}) at time zone 'UTC') at time zone {_literal(zone)}",
    weekday=lambda day: f"isodow({day})",
)
