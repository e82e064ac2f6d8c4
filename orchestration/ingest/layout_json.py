"""NDJSON in SQL: each line is parsed once for its cells' texts and once for their kinds."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from analysis.catalogue.events import CONTEXT_COLUMNS, CONTRACT_COLUMNS
from orchestration.ingest.cells import (
    EMPTY,
    ENTRIES,
    IS_OBJECT,
    JSON_STRING,
    Cell,
    json_pairs,
    kind_of_token,
    object_text,
)
from orchestration.ingest.sql import identifier, literal

if TYPE_CHECKING:
    from collections.abc import Iterable

_NESTED = ("experiment_id", "variation_id")

# DuckDB's JSON reader takes trailing commas; lines that look like it are looked at once more without their strings.
_TRAILING_COMMA = rf"""case when regexp_matches(whole, ',\s*[\]}}]')
    then regexp_matches(regexp_replace(whole, '{JSON_STRING}', '', 'g'), ',\s*[\]}}]') end"""
_BROKEN = """coalesce(fault, case when not json_valid(line) then 'not JSON' when whole is null then 'not an object'
    when list_unique(names) < len(names) then 'a key stands twice' else 'a comma before a closing bracket' end)"""


@dataclass
class JsonLines:
    """NDJSON: one object a line.

    Cells are fields of two structs that one parse of the line each fills: `texts` and, as JSON, `tokens`.
    """

    texts_are_numbers: bool = False
    _tree: dict[str, Any] = field(default_factory=dict)

    def cell(self, column: str) -> Cell:
        """See `Layout`."""
        steps = column.split(".")
        if not self._register(steps):
            return _lone_cell(column)
        place = ".".join(map(identifier, steps))
        text = f"texts.{place}"
        return Cell(text, kind_of_token(f"tokens.{place}::varchar"), number=_as_written(steps[-1], text))

    def _register(self, steps: list[str]) -> bool:
        """Add a leaf to the struct; false where its fields' names, which ignore case, would clash."""
        node = self._tree
        for depth, step in enumerate(steps):
            if any(name != step and name.lower() == step.lower() for name in node):
                return False
            last = depth + 1 == len(steps)
            child = node.setdefault(step, None if last else {})
            if last or child is None:
                return last and child is None
            node = child
        return False

    def names(self) -> None:
        """See `Layout`: each line has its own."""
        return

    def rows(self, relation: str) -> str:
        """See `Layout`."""
        texts, tokens = (literal(json.dumps(_leaves(self._tree, type_))) for type_ in ("VARCHAR", "JSON"))
        return f"""
            select file_index, line_number, line, doc, names, case when doc is null then {_BROKEN} end as fault,
                json_extract(doc, '/properties')::varchar as own_properties,
                json_extract(doc, '/context')::varchar as own_context,
                json_transform(doc, {texts}) as texts, json_transform(doc, {tokens}) as tokens
            from (
                select *, case when list_unique(names) = len(names) and not coalesce({_TRAILING_COMMA}, false)
                    then whole end as doc
                from (
                    select *, json_keys(whole) as names from (
                        select *, case when fault is null and json_valid(line)
                            then case when json_type(line) = 'OBJECT' then line end end as whole
                        from {relation}
                    )
                )
            )"""

    def own_events(self) -> tuple[dict[str, Cell], str, list[tuple[str, str]]]:
        """See `Layout`: keys at the top, in `context` or in `properties`; what is unknown goes to properties."""
        cells = {}
        for column in CONTRACT_COLUMNS[:-1]:
            top = self.cell(column)
            outer = "context" if column in CONTEXT_COLUMNS else "properties" if column in _NESTED else ""
            inner = self.cell(f"{outer}.{column}") if outer else EMPTY
            cells[column] = _first_of(top, inner) if outer else top
        wrong = [
            (f"coalesce(left({whole}, 1) not in ('{{', 'n'), false)", whole.removeprefix("own_"))
            for whole in ("own_properties", "own_context")
        ]
        return cells, self._own_properties(), wrong

    def _own_properties(self) -> str:
        moved = "own_properties"
        for column in _NESTED:
            top, inner = self.cell(column), self.cell(f"properties.{column}")
            at_top = f"({top.text} is null and {inner.text} is not null)"
            moved = f"case when {at_top} then json_remove({moved}, '$.{column}')::varchar else {moved} end"
        properties = f"case when {IS_OBJECT.format('own_properties')} then {moved} else '{{}}' end"
        known = (*CONTRACT_COLUMNS, "context")
        odd_keys = f"len(list_filter(names, lambda k: k not in {_tuple(known)})) > 0"
        odd_context = f"""(case when {IS_OBJECT.format("own_context")} then
            len(list_filter(json_keys(own_context), lambda k: k not in {_tuple(CONTEXT_COLUMNS)})) > 0
            else false end)"""
        return f"""case when {odd_keys} or {odd_context} then {_merged(properties, known, odd_context)}
            else {properties} end"""

    def object_of(self, columns: list[str] | None, taken: set[str]) -> str:
        """See `Layout`."""
        if columns is None:
            kept = f"list_filter({ENTRIES.format('doc')}, lambda e: e[1] not in {_tuple(sorted(taken))})"
            return object_text(kept)
        return json_pairs([(column, f"json_extract(doc, {_pointer(column)})::varchar") for column in columns])


def _leaves(tree: dict[str, Any], type_: str) -> dict[str, Any]:
    return {name: type_ if child is None else _leaves(child, type_) for name, child in tree.items()}


def _as_written(key: str, text: str) -> str:
    """A number's own digits: DuckDB reads JSON's numbers as doubles, whose neighbours lie 2e-6 apart from 2^33 on."""
    written = rf'"{re.escape(key)}"\s*:\s*(-?[0-9][0-9.eE+-]*)'
    of_key = f"regexp_extract_all(line, {literal(written)}, 1)"
    return f"""(case when abs(try_cast({text} as double)) < 8e9 then {text} else coalesce(list_filter(
        {of_key}, lambda n: try_cast(n as double) = try_cast({text} as double))[1], {text}) end)"""


def _pointer(column: str) -> str:
    steps = (step.replace("~", "~0").replace("/", "~1") for step in column.split("."))
    return literal("/" + "/".join(steps))


def _lone_cell(column: str) -> Cell:
    """A cell that is parsed on its own: whole objects, and columns whose names clash with another's."""
    path = _pointer(column)
    return Cell(f"json_extract_string(doc, {path})", kind_of_token(f"json_extract(doc, {path})::varchar"))


def _first_of(top: Cell, inner: Cell) -> Cell:
    kind = f"(case when {top.text} is not null then {top.kind} else {inner.kind} end)"
    return Cell(f"coalesce({top.text}, {inner.text})", kind)


def _tuple(texts: Iterable[str]) -> str:
    return "(" + ", ".join(literal(text) for text in texts) + ")" if texts else "(null)"


def _merged(properties: str, known: Iterable[str], odd_context: str) -> str:
    """Properties with the unknown keys of the line and of its context beside its own, which go first."""
    at_top = f"list_filter({ENTRIES.format('doc')}, lambda e: e[1] not in {_tuple(known)})"
    in_context = (
        f"case when {odd_context} then list_filter({ENTRIES.format('own_context')}, "
        f"lambda e: e[1] not in {_tuple(CONTEXT_COLUMNS)}) else [] end"
    )
    strays = f"list_concat({at_top}, list_transform({in_context}, lambda e: row('context.' || e[1], e[2])))"
    own = ENTRIES.format(f"({properties})")
    fresh = f"list_filter({strays}, lambda e: not list_contains(json_keys({properties}), e[1]))"
    return object_text(f"list_concat({own}, {fresh})")
