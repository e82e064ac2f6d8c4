"""Spark's SQL, version 4 on: attributes are a VARIANT column with one object a unit, an instant is a TIMESTAMP.

A VARIANT is what ``parse_json`` makes of JSON text, and what tells a number from a text. A TIMESTAMP is a point in time
whatever the session's time zone; Spark itself refuses a TIMESTAMP_NTZ here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from fairsplit.assignment_exports.dialects.dialect import Dialect
from fairsplit.assignment_exports.dialects.java_patterns import java_pattern

if TYPE_CHECKING:
    from collections.abc import Callable

# Under the default settings a backslash escapes in literals, and before a query is parsed, variables are put in the
# place of ${...}, in literals too.
_UNSAFE: Final = re.compile(r"[\\'\x00-\x1F\x7F-\x9F]|\$(?=\{)")
_NUMBERS: Final = r"\A(BIGINT|DECIMAL|DOUBLE|FLOAT)"
_SCIENTIFIC: Final = r"\A(-?)([0-9])[.]?([0-9]*)e(.+)\z"


def _literal(text: str) -> str:
    return f"'{_UNSAFE.sub(_escaped, text)}'"


def _escaped(found: re.Match[str]) -> str:
    sign = found[0]
    return f"\\{sign}" if sign in "\\'" else f"\\u{ord(sign):04X}"


def _path(name: str) -> str:
    return _literal(f'$["{name}"]')


def _text(attributes: str, name: str) -> str:
    return f"variant_get({attributes}, {_path(name)}, 'string')"


def _number(attributes: str, name: str) -> str:
    kind = f"schema_of_variant(variant_get({attributes}, {_path(name)}))"
    number = f"variant_get({attributes}, {_path(name)}, 'double')"
    return f"case when {kind} rlike {_literal(_NUMBERS)} then {number} end"


def _digits(number: str) -> str:
    """The fewest digits that give the double back, for up to Java 18 its own text may have one too many."""
    given = f"({number}) + 0.0"  # zero has no sign
    tried = f"transform(sequence(0, 16), places -> format_string(concat('%.', places, 'e'), {given}))"
    exact = f"filter({tried}, shown -> cast(shown as double) = {given})"
    sign, lead, fraction, power = (
        f"regexp_extract(shown, {_literal(_SCIENTIFIC)}, {n})" for n in (1, 2, 3, 4)
    )
    digits, shift = f"{lead} || {fraction}", f"cast({power} as int)"
    return (
        f"transform({exact}, shown -> {sign} || case "
        f"when {shift} < 0 then '0.' || repeat('0', -1 - {shift}) || {digits} "
        f"when {shift} >= length({fraction}) then {digits} || repeat('0', {shift} - length({fraction})) "
        f"else left({digits}, {shift} + 1) || '.' || substr({digits}, {shift} + 2) end)[0]"
    )


def _labels(dotted: str, each: Callable[[str], str]) -> str:
    return f"array_join(transform(split({dotted}, '[.]'), label -> {each('label')}), ' ')"


def _local(instant: str, zone: str) -> str:
    utc = f"timestampadd(microsecond, unix_micros({instant}), timestamp_ntz '1970-01-01 00:00:00')"
    return f"convert_timezone('UTC', {_literal(zone)}, {utc})"


SPARK: Final = Dialect(
    literal=_literal,
    text=_text,
    number=_number,
    digits=_digits,
    finds="regexp_like",
    pattern=java_pattern,
    labels=_labels,
    local=_local,
    weekday=lambda day: f"weekday({day}) + 1",
)
