"""How a cell of each file format is read in SQL: its text, and the kind of value it was."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from analysis.catalogue.sources import CONTEXT_COLUMNS, CONTRACT_COLUMNS
from orchestration.ingest.sql import identifier, literal

if TYPE_CHECKING:
    from collections.abc import Iterable

STRING, INTEGER, NUMBER, BOOLEAN, OBJECT, ARRAY = "STRING", "INTEGER", "NUMBER", "BOOLEAN", "OBJECT", "ARRAY"
INSTANT, LOCAL_TIME = "INSTANT", "LOCAL_TIME"
_NUMBERS = {"FLOAT", "DOUBLE", "HUGEINT", "UHUGEINT"}
_INTEGERS = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"}
_TEXTS = {"VARCHAR", "UUID"}
_NESTED = ("experiment_id", "variation_id")


@dataclass(frozen=True, slots=True)
class Cell:
    """SQL expressions for one cell of a row.

    Attributes:
        text: The cell as VARCHAR; null where empty.
        kind: Its kind as VARCHAR, one of this module's constants; null where empty.
        typed: The typed column, for `INSTANT` and `LOCAL_TIME`.
    """

    text: str
    kind: str
    typed: str = ""


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

    def object_of(self, columns: list[str] | None, taken: set[str]) -> str:
        """JSON text of an object of these columns, or of all but `taken`; empty cells are left out."""


def json_pairs(pairs: list[tuple[str, str]]) -> str:
    """An object as JSON text from (name, SQL of a JSON value or null) pairs; null values are left out."""
    parts = ", ".join(f"{literal(_json_string(name) + ':')} || {value}" for name, value in pairs)
    return f"('{{' || concat_ws(',', {parts}) || '}}')" if pairs else "'{}'"


def _json_string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


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
        return Cell(f"texts.{place}", _kind_of(f"tokens.{place}::varchar"))

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
        properties = f"case when {_IS_OBJECT.format('own_properties')} then {moved} else '{{}}' end"
        known = (*CONTRACT_COLUMNS, "context")
        odd_keys = f"len(list_filter(names, lambda k: k not in {_tuple(known)})) > 0"
        odd_context = f"""(case when {_IS_OBJECT.format("own_context")} then
            len(list_filter(json_keys(own_context), lambda k: k not in {_tuple(CONTEXT_COLUMNS)})) > 0
            else false end)"""
        return f"""case when {odd_keys} or {odd_context} then {_merged(properties, known, odd_context)}
            else {properties} end"""

    def object_of(self, columns: list[str] | None, taken: set[str]) -> str:
        """See `Layout`."""
        if columns is None:
            kept = f"list_filter({_ENTRIES.format('doc')}, lambda e: e[1] not in {_tuple(sorted(taken))})"
            return _object(kept)
        return json_pairs([(column, f"json_extract(doc, {_pointer(column)})::varchar") for column in columns])


JSON_STRING = r'"(?:[^"\\]|\\.)*"'
"""A JSON string with its quotes."""

# DuckDB's JSON reader takes trailing commas; lines that look like it are looked at once more without their strings.
_TRAILING_COMMA = rf"""case when regexp_matches(whole, ',\s*[\]}}]')
    then regexp_matches(regexp_replace(whole, '{JSON_STRING}', '', 'g'), ',\s*[\]}}]') end"""
_BROKEN = """coalesce(fault, case when not json_valid(line) then 'not JSON' when whole is null then 'not an object'
    when list_unique(names) < len(names) then 'a key stands twice' else 'a comma before a closing bracket' end)"""
_IS_OBJECT = "left({0}, 1) = '{{'"
_ENTRIES = "list_zip(json_keys({0}), json_extract({0}, '$.*')::varchar[])"


def _leaves(tree: dict[str, Any], type_: str) -> dict[str, Any]:
    return {name: type_ if child is None else _leaves(child, type_) for name, child in tree.items()}


def _kind_of(token: str) -> str:
    """The kind told by a JSON token's first character."""
    return f"""(case left({token}, 1) when '"' then '{STRING}' when '{{' then '{OBJECT}' when '[' then '{ARRAY}'
        when 't' then '{BOOLEAN}' when 'f' then '{BOOLEAN}' when 'n' then null
        else case when regexp_full_match({token}, '-?[0-9]+') then '{INTEGER}' else '{NUMBER}' end end)"""


def _pointer(column: str) -> str:
    steps = (step.replace("~", "~0").replace("/", "~1") for step in column.split("."))
    return literal("/" + "/".join(steps))


def _lone_cell(column: str) -> Cell:
    """A cell that is parsed on its own: whole objects, and columns whose names clash with another's."""
    path = _pointer(column)
    return Cell(f"json_extract_string(doc, {path})", _kind_of(f"json_extract(doc, {path})::varchar"))


def _first_of(top: Cell, inner: Cell) -> Cell:
    kind = f"(case when {top.text} is not null then {top.kind} else {inner.kind} end)"
    return Cell(f"coalesce({top.text}, {inner.text})", kind)


def _tuple(texts: Iterable[str]) -> str:
    return "(" + ", ".join(literal(text) for text in texts) + ")" if texts else "(null)"


def _object(entries: str) -> str:
    return f"('{{' || array_to_string(list_transform({entries}, lambda e: to_json(e[1])::varchar || ':' || e[2]), ',') || '}}')"


def _merged(properties: str, known: Iterable[str], odd_context: str) -> str:
    """Properties with the unknown keys of the line and of its context beside its own, which go first."""
    at_top = f"list_filter({_ENTRIES.format('doc')}, lambda e: e[1] not in {_tuple(known)})"
    in_context = (
        f"case when {odd_context} then list_filter({_ENTRIES.format('own_context')}, "
        f"lambda e: e[1] not in {_tuple(CONTEXT_COLUMNS)}) else [] end"
    )
    strays = f"list_concat({at_top}, list_transform({in_context}, lambda e: row('context.' || e[1], e[2])))"
    own = _ENTRIES.format(f"({properties})")
    fresh = f"list_filter({strays}, lambda e: not list_contains(json_keys({properties}), e[1]))"
    return _object(f"list_concat({own}, {fresh})")


@dataclass
class Table:
    """Columns with types, as in Parquet.

    Attributes:
        types: Column name → DuckDB type.
    """

    types: dict[str, str]
    texts_are_numbers: bool = False

    def cell(self, column: str) -> Cell:
        """See `Layout`."""
        name, type_ = self._resolve(column)
        if not name:
            return EMPTY
        base = type_.split("(")[0]
        if type_ == "JSON":
            return Cell(f"({name} ->> '$')", _kind_of(f"{name}::varchar"))
        if base == "TIMESTAMP WITH TIME ZONE":
            return Cell(f"{name}::varchar", literal(INSTANT), name)
        if base.startswith("TIMESTAMP") or base == "DATE":
            return Cell(f"{name}::varchar", literal(LOCAL_TIME), f"{name}::timestamp")
        if type_.endswith("[]") or base in ("STRUCT", "MAP", "UNION"):
            return Cell(f"to_json({name})::varchar", literal(ARRAY if type_.endswith("]") else OBJECT))
        if base == "DECIMAL" or base in _NUMBERS:
            return Cell(f"{name}::varchar", literal(NUMBER))
        if base in _TEXTS or base == "ENUM":
            return Cell(f"{name}::varchar", literal(STRING))
        kind = INTEGER if base in _INTEGERS else BOOLEAN if base == "BOOLEAN" else base
        return Cell(f"{name}::varchar", literal(kind))

    def _resolve(self, column: str) -> tuple[str, str]:
        """The quoted expression and type of a column or, through dots, of a struct's field."""
        if column in self.types:
            return identifier(column), self.types[column]
        outer, _, inner = column.partition(".")
        fields = _struct_fields(self.types.get(outer, ""))
        return (f"{identifier(outer)}.{identifier(inner)}", fields[inner]) if inner in fields else ("", "")

    def names(self) -> list[str]:
        """See `Layout`."""
        return list(self.types)

    def rows(self, relation: str) -> str:
        """See `Layout`."""
        return f"select *, null::varchar as fault from {relation}"

    def own_events(self) -> tuple[dict[str, Cell], str, list[tuple[str, str]]]:
        """See `Layout`: columns named as in the contract, or fields of a struct `context`."""
        cells = {}
        for column in CONTRACT_COLUMNS[:-1]:
            cell = self.cell(column)
            cells[column] = self.cell(f"context.{column}") if cell == EMPTY else cell
        known = {*CONTRACT_COLUMNS, "context"}
        strays = [name for name in self.types if name not in known]
        return _with_strays(self, cells, strays)

    def object_of(self, columns: list[str] | None, taken: set[str]) -> str:
        """See `Layout`."""
        names = [name for name in self.types if name not in taken] if columns is None else columns
        pairs = [
            (name, f"to_json({self._resolve(name)[0]})::varchar") for name in names if self._resolve(name)[0]
        ]
        return json_pairs(pairs)


def _struct_fields(type_: str) -> dict[str, str]:
    """Field name → type of a DuckDB STRUCT type's text; nested types keep their text whole."""
    if not type_.startswith("STRUCT(") or not type_.endswith(")"):
        return {}
    fields, depth, quoted, start = [], 0, False, 0
    body = type_[len("STRUCT(") : -1]
    for index, character in enumerate(body):
        if character == '"':
            quoted = not quoted
        elif not quoted and character in "()":
            depth += 1 if character == "(" else -1
        elif not quoted and not depth and character == ",":
            fields.append(body[start:index])
            start = index + 1
    fields.append(body[start:])
    named = {}
    for text in fields:
        bare = text.strip()
        if bare.startswith('"'):
            end = bare.replace('""', "  ").index('"', 1)
            named[bare[1:end].replace('""', '"')] = bare[end + 1 :].strip()
        else:
            name, _, type_text = bare.partition(" ")
            named[name] = type_text
    return named


@dataclass
class Delimited:
    """CSV: text cells named by a header.

    Attributes:
        header: Column names in order; the relation calls them ``c0``, ``c1``, ….
    """

    header: list[str]
    texts_are_numbers: bool = True

    def cell(self, column: str) -> Cell:
        """See `Layout`."""
        if column not in self.header:
            return EMPTY
        name = f"c{self.header.index(column)}"
        return Cell(name, literal(STRING))

    def names(self) -> list[str]:
        """See `Layout`."""
        return self.header

    def rows(self, relation: str) -> str:
        """See `Layout`."""
        return f"select * from {relation}"

    def own_events(self) -> tuple[dict[str, Cell], str, list[tuple[str, str]]]:
        """See `Layout`: columns named as in the contract; `properties` holds JSON."""
        cells = {column: self.cell(column) for column in CONTRACT_COLUMNS[:-1]}
        strays = [name for name in self.header if name not in CONTRACT_COLUMNS]
        return _with_strays(self, cells, strays)

    def object_of(self, columns: list[str] | None, taken: set[str]) -> str:
        """See `Layout`."""
        names = [name for name in self.header if name not in taken] if columns is None else columns
        cells = [(name, self.cell(name)) for name in names]
        return json_pairs([(name, f"to_json({cell.text})::varchar") for name, cell in cells if cell != EMPTY])


def _with_strays(
    layout: Table | Delimited, cells: dict[str, Cell], strays: list[str]
) -> tuple[dict[str, Cell], str, list[tuple[str, str]]]:
    """The contract's cells, with columns that it does not know merged into the properties."""
    own = layout.cell("properties")
    properties, wrong = "'{}'", []
    if own != EMPTY:
        text = f"nullif(trim({own.text}), '')"
        # The first character decides before the text is parsed a second time.
        is_object = f"case when {text} is not null then {_IS_OBJECT.format(text)} and json_valid({text}) else true end"
        properties = f"case when {is_object} then coalesce({text}, '{{}}') else '{{}}' end"
        wrong = [(f"not {is_object}", "properties")]
    if strays:
        more = _ENTRIES.format(layout.object_of(strays, set()))
        fresh = f"list_filter({more}, lambda e: not list_contains(json_keys({properties}), e[1]))"
        properties = _object(f"list_concat({_ENTRIES.format(f'({properties})')}, {fresh})")
    return cells, properties, wrong
