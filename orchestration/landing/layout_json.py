"""NDJSON in SQL: each line is parsed once for its cells' texts and once for their kinds."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fairsplit.analysis.catalogue.events import CONTEXT_COLUMNS, CONTRACT_COLUMNS
from fairsplit.orchestration.landing import repeated_keys
from fairsplit.orchestration.landing.cells import (
    ENTRIES,
    IS_OBJECT,
    JSON_STRING,
    Cell,
    first_of,
    json_pairs,
    kind_of_token,
    merged,
    object_text,
)
from fairsplit.orchestration.landing.limits import MAX_COLUMNS
from fairsplit.orchestration.landing.own_properties import READ_AT_TOP, contract_cells, without_moved
from fairsplit.orchestration.landing.sql import identifier, literal

if TYPE_CHECKING:
    from collections.abc import Iterable

# DuckDB's JSON reader takes trailing commas; lines that look like it are looked at once more without their strings.
_TRAILING_COMMA = rf"""coalesce(case when regexp_matches(whole, ',\s*[\]}}]')
    then regexp_matches(regexp_replace(whole, '{JSON_STRING}', '', 'g'), ',\s*[\]}}]') end, false)"""
_OBJECTS = (
    "1 + coalesce((left(own_properties, 1) = '{')::int, 0) + coalesce((left(own_context, 1) = '{')::int, 0)"
)
_TWICE = " or ".join(
    [
        f"({repeated_keys.condition('whole', _OBJECTS)})",
        *(
            f"coalesce(left({part}, 1) = '{{' and list_unique(json_keys({part})) < len(json_keys({part})), false)"
            for part in ("own_properties", "own_context")
        ),
    ]
)
_TOO_MANY = f"greatest(len(names), coalesce(len(json_keys(own_properties)), 0)) > {MAX_COLUMNS}"
_BROKEN = f"""case when fault is not null then fault when not json_valid(line) then 'not JSON'
    when whole is null then 'not an object' when {_TOO_MANY} then 'more than {MAX_COLUMNS} keys in one object'
    when {_TWICE} then 'a key stands twice' when {_TRAILING_COMMA} then 'a comma before a closing bracket' end"""


@dataclass
class JsonLines:
    """NDJSON: one object a line.

    Cells are fields of two structs that one parse of the line each fills: `texts` and, as JSON, `tokens`.
    """

    texts_are_numbers: bool = False
    _tree: dict[str, Any] = field(default_factory=dict)

    def cell(self, column: str) -> Cell:
        """See `Layout`: a key of that very name, or the value that its steps reach."""
        whole = self._cell_at([column])
        return first_of(whole, self._cell_at(column.split("."))) if "." in column else whole

    def _cell_at(self, steps: list[str]) -> Cell:
        if not self._register(steps):
            return _lone_cell(steps)
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
            select file_index, line_number, line, doc, names, fault, own_properties, own_context,
                json_transform(doc, {texts}) as texts, json_transform(doc, {tokens}) as tokens
            from (
                select * replace ({_BROKEN} as fault), case when {_BROKEN} is null then whole end as doc
                from (
                    select *, json_keys(whole) as names,
                        json_extract(whole, '/properties')::varchar as own_properties,
                        json_extract(whole, '/context')::varchar as own_context
                    from (
                        select *, case when fault is null and json_valid(line)
                            then case when json_type(line) = 'OBJECT' then line end end as whole
                        from {relation}
                    )
                )
            )"""

    def own_events(self) -> tuple[dict[str, Cell], str, list[tuple[str, str]]]:
        """See `Layout`: keys at the top, in `context` or in `properties`; what is unknown goes to properties."""
        cells = contract_cells(self)
        wrong = [
            (f"coalesce(left({whole}, 1) not in ('{{', 'n'), false)", whole.removeprefix("own_"))
            for whole in ("own_properties", "own_context")
        ]
        return cells, self._own_properties(), wrong

    def _own_properties(self) -> str:
        own = f"case when {IS_OBJECT.format('own_properties')} then own_properties else '{{}}' end"
        known = (*CONTRACT_COLUMNS, "context")
        odd_keys = f"len(list_filter(names, lambda k: k not in {_tuple(known)})) > 0"
        odd_context = f"""(case when {IS_OBJECT.format("own_context")} then
            len(list_filter(json_keys(own_context), lambda k: k not in {_tuple(CONTEXT_COLUMNS)})) > 0
            else false end)"""
        strays = f"list_filter({ENTRIES.format('doc')}, lambda e: e[1] not in {_tuple(READ_AT_TOP)}"
        at_top = f"{strays} and not starts_with(e[1], 'properties.'))"
        dotted = f"""list_transform({strays} and starts_with(e[1], 'properties.')),
            lambda e: row(substr(e[1], {len("properties.") + 1}), e[2]))"""
        in_context = f"""case when {odd_context} then list_transform(
                list_filter({ENTRIES.format("own_context")}, lambda e: e[1] not in {_tuple(CONTEXT_COLUMNS)}),
                lambda e: row('context.' || e[1], e[2]))
            else [] end"""
        whole = merged([in_context, at_top, dotted, ENTRIES.format(f"({own})")])
        return without_moved(self, f"(case when {odd_keys} or {odd_context} then {whole} else {own} end)")

    def json_of(self, column: str) -> str:
        """See `Layout`."""
        steps = [column] if "." not in column else column.split(".")
        whole = f"json_extract(doc, {_pointer([column])})::varchar"
        return f"coalesce({whole}, json_extract(doc, {_pointer(steps)})::varchar)" if "." in column else whole

    def object_of(self, columns: list[str] | None, taken: set[str]) -> str:
        """See `Layout`."""
        if columns is None:
            kept = f"list_filter({ENTRIES.format('doc')}, lambda e: e[1] not in {_tuple(sorted(taken))})"
            return object_text(kept)
        return json_pairs([(column, self.json_of(column)) for column in columns])


def _leaves(tree: dict[str, Any], type_: str) -> dict[str, Any]:
    return {name: type_ if child is None else _leaves(child, type_) for name, child in tree.items()}


def _as_written(key: str, text: str) -> str:
    """A number's own digits: DuckDB reads JSON's numbers as doubles, whose neighbours lie 2e-6 apart from 2^33 on."""
    written = rf'"{re.escape(key)}"\s*:\s*(-?[0-9][0-9.eE+-]*)'
    of_key = f"regexp_extract_all(line, {literal(written)}, 1)"
    return f"""(case when abs(try_cast({text} as double)) < 8e9 then {text} else coalesce(list_filter(
        {of_key}, lambda n: try_cast(n as double) = try_cast({text} as double))[1], {text}) end)"""


def _pointer(steps: list[str]) -> str:
    return literal("/" + "/".join(step.replace("~", "~0").replace("/", "~1") for step in steps))


def _lone_cell(steps: list[str]) -> Cell:
    """A cell that is parsed on its own: whole objects, and columns whose names clash with another's."""
    path = _pointer(steps)
    return Cell(f"json_extract_string(doc, {path})", kind_of_token(f"json_extract(doc, {path})::varchar"))


def _tuple(texts: Iterable[str]) -> str:
    return "(" + ", ".join(literal(text) for text in texts) + ")" if texts else "(null)"
