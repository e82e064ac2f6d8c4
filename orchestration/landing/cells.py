"""A cell in SQL: its text and the kind of value it was; and JSON as text, which the formats share."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Protocol

from fairsplit.orchestration.landing.sql import literal

STRING, INTEGER, NUMBER, BOOLEAN, OBJECT, ARRAY = "STRING", "INTEGER", "NUMBER", "BOOLEAN", "OBJECT", "ARRAY"
INSTANT, LOCAL_TIME = "INSTANT", "LOCAL_TIME"

JSON_STRING = r'"(?:[^"\\]|\\.)*"'
"""A JSON string with its quotes."""

IS_OBJECT = "left({0}, 1) = '{{'"
"""Condition that non-null JSON text is an object."""

ENTRIES = "list_zip(json_keys({0}), json_extract({0}, '$.*')::varchar[])"
"""JSON object text as a list of (name, JSON text of the value)."""


@dataclass(frozen=True, slots=True)
class Cell:
    """SQL expressions for one cell of a row.

    Attributes:
        text: The cell as VARCHAR; null where empty.
        kind: Its kind as VARCHAR, one of this module's constants; null where empty.
        typed: Of `INSTANT` the instant as naive TIMESTAMP in UTC, of `LOCAL_TIME` the wall clock's TIMESTAMP.
        number: The digits of a number as they were written, where the text may have lost the last of many.
    """

    text: str
    kind: str
    typed: str = ""
    number: str = ""


EMPTY = Cell("null::varchar", "null::varchar")


def constant(value: str | float | bool) -> Cell:
    """The same value in each row."""
    if isinstance(value, bool):
        return Cell(literal(str(value).lower()), literal(BOOLEAN))
    kind = STRING if isinstance(value, str) else INTEGER if isinstance(value, int) else NUMBER
    return Cell(literal(str(value)), literal(kind))


class Layout(Protocol):
    """A file format: reads named cells of a relation of rows."""

    texts_are_numbers: bool
    """Whether text stands for numbers because the format has no others."""

    def cell(self, column: str) -> Cell:
        """The cell of a source column; dots reach into nested objects; `EMPTY` where there is none."""

    def names(self) -> list[str] | None:
        """All column names, where the format fixes them."""

    def rows(self, relation: str) -> str:
        """A SELECT from the raw relation that computes what the cells refer to."""

    def own_events(self) -> tuple[dict[str, Cell], str, list[tuple[str, str]]]:
        """Cells, properties and (wrong, column) pairs of a file that follows the contract without any mapping."""

    def json_of(self, column: str) -> str:
        """SQL of the cell as JSON text; null where it is empty."""

    def object_of(self, columns: list[str] | None, taken: set[str]) -> str:
        """JSON text of an object of these columns, or of all but `taken`; empty cells are left out."""


def json_pairs(pairs: list[tuple[str, str]]) -> str:
    """An object as JSON text from (name, SQL of a JSON value or null) pairs; null values are left out."""
    parts = ", ".join(f"{literal(_json_string(name) + ':')} || {value}" for name, value in pairs)
    return f"('{{' || concat_ws(',', {parts}) || '}}')" if pairs else "'{}'"


def _json_string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def object_text(entries: str) -> str:
    """JSON object text of a list like `ENTRIES`."""
    pairs = f"list_transform({entries}, lambda e: to_json(e[1])::varchar || ':' || e[2])"
    return f"('{{' || array_to_string({pairs}, ',') || '}}')"


def merged(entries: list[str]) -> str:
    """JSON object text of several lists like `ENTRIES`, each without a name twice; the last to name something wins."""
    maps = ", ".join(f"map_from_entries({one})" for one in entries)
    pairs = f"list_transform(map_entries(map_concat({maps})), lambda e: to_json(e.key)::varchar || ':' || e.value)"
    return f"('{{' || array_to_string({pairs}, ',') || '}}')"


def first_of(top: Cell, inner: Cell) -> Cell:
    """The first of two cells unless it is empty."""
    if EMPTY in (top, inner):
        return inner if top == EMPTY else top
    kind = f"(case when {top.text} is not null then {top.kind} else {inner.kind} end)"
    number = f"coalesce({top.number or top.text}, {inner.number or inner.text})" if inner.number else ""
    return Cell(f"coalesce({top.text}, {inner.text})", kind, number=number)


def inside(text: str, steps: list[str]) -> Cell:
    """The cell that keys reach into a text of JSON; empty where the text is none."""
    path = literal("/" + "/".join(step.replace("~", "~0").replace("/", "~1") for step in steps))
    whole = f"(case when {IS_OBJECT.format(text)} and json_valid({text}) then {text} end)"
    return Cell(
        f"json_extract_string({whole}, {path})", kind_of_token(f"json_extract({whole}, {path})::varchar")
    )


def kind_of_token(token: str) -> str:
    """The kind told by a JSON token's first character."""
    return f"""(case left({token}, 1) when '"' then '{STRING}' when '{{' then '{OBJECT}' when '[' then '{ARRAY}'
        when 't' then '{BOOLEAN}' when 'f' then '{BOOLEAN}' when 'n' then null
        else case when regexp_full_match({token}, '-?[0-9]+') then '{INTEGER}' else '{NUMBER}' end end)"""
