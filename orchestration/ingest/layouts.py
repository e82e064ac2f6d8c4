"""How a cell of each file format is read in SQL: its text, and the kind of value it was."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from analysis.catalogue.sources import CONTEXT_COLUMNS, CONTRACT_COLUMNS
from orchestration.ingest import lines
from orchestration.ingest.sql import array, identifier, literal

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
    import json  # noqa: PLC0415

    return json.dumps(text, ensure_ascii=False)


@dataclass
class JsonLines:
    """NDJSON: one object a line."""

    texts_are_numbers: bool = False
    _paths: list[str] = field(default_factory=list)

    def cell(self, column: str) -> Cell:
        """See `Layout`."""
        steps = (step.replace("~", "~0").replace("/", "~1") for step in column.split("."))
        path = "/" + "/".join(steps)
        if path not in self._paths:
            self._paths.append(path)
        index = self._paths.index(path) + 1
        return Cell(f"texts[{index}]", _JSON_KIND.format(f"kinds[{index}]", f"texts[{index}]"))

    def names(self) -> None:
        """See `Layout`: each line has its own."""
        return

    def rows(self, relation: str) -> str:
        """See `Layout`."""
        paths = array(self._paths)
        return f"""
            select file_index, line_number, line, doc,
                case when doc is null then coalesce(nullif(fault, '{lines.NOT_FINITE}'), {_BROKEN}) end as fault,
                coalesce(fault = '{lines.NOT_FINITE}', false) as not_finite,
                json_extract_string(doc, {paths}) as texts, json_type(doc, {paths}) as kinds, names
            from (
                select *, case when names is not null and len(list_distinct(names)) = len(names) then whole end as doc
                from (
                    select *, json_keys(whole) as names from (
                        select *, case when (fault is null or fault = '{lines.NOT_FINITE}') and json_valid(line)
                            then case when json_type(line) = 'OBJECT' then line end end as whole
                        from {relation}
                    )
                )
            )"""

    def own_events(self) -> tuple[dict[str, Cell], str, list[tuple[str, str]]]:
        """See `Layout`: keys at the top, in `context` or in `properties`; what is unknown goes to properties."""
        cells = {}
        for column in CONTRACT_COLUMNS[:-1]:
            cells[column] = self.cell(column)
            outer = "context" if column in CONTEXT_COLUMNS else "properties" if column in _NESTED else ""
            if outer:
                inner = self.cell(f"{outer}.{column}")
                cells[column] = Cell(
                    f"coalesce({cells[column].text}, {inner.text})",
                    f"coalesce({cells[column].kind}, {inner.kind})",
                )
        own, context = self.cell("properties"), self.cell("context")
        wrong = [
            (f"coalesce({own.kind} <> '{OBJECT}', false)", "properties"),
            (f"coalesce({context.kind} <> '{OBJECT}', false)", "context"),
            ("not_finite", "a number that is not finite"),
        ]
        return cells, self._own_properties(own, context), wrong

    def _own_properties(self, own: Cell, context: Cell) -> str:
        moved = own.text
        for column in _NESTED:
            at_top = (
                f"({self.cell(column).kind} is null and {self.cell(f'properties.{column}').kind} is not null)"
            )
            moved = f"case when {at_top} then json_remove({moved}, '$.{column}') else {moved} end"
        properties = f"case when {own.kind} = '{OBJECT}' then {moved} else '{{}}' end"
        known = array((*CONTRACT_COLUMNS, "context"))
        odd_keys = f"not list_has_all({known}, names)"
        odd_context = f"({context.kind} = '{OBJECT}' and not list_has_all({array(CONTEXT_COLUMNS)}, json_keys({context.text})))"
        return f"""case when {odd_keys} or {odd_context} then {_merged(properties, known, context.text, odd_context)}
            else {properties} end"""

    def object_of(self, columns: list[str] | None, taken: set[str]) -> str:
        """See `Layout`."""
        if columns is None:
            kept = f"list_filter({_ENTRIES.format('doc')}, lambda e: not list_contains({array(sorted(taken))}, e[1]))"
            return _object(kept)
        pairs = []
        for column in columns:
            cell = self.cell(column)
            text = (
                f"case when {cell.kind} = '{STRING}' then to_json({cell.text})::varchar else {cell.text} end"
            )
            pairs.append((column, text))
        return json_pairs(pairs)


_BROKEN = "case when json_valid(line) then 'not an object, or a key stands twice' else 'not JSON' end"
_JSON_KIND = (
    "case {0} when 'VARCHAR' then 'STRING' when 'BIGINT' then 'INTEGER' when 'UBIGINT' then 'INTEGER' "
    "when 'HUGEINT' then 'INTEGER' when 'UHUGEINT' then 'INTEGER' "
    "when 'DOUBLE' then case when regexp_full_match({1}, '-?[0-9]+') then 'INTEGER' else 'NUMBER' end "
    "when 'NULL' then null else {0} end"
)
_ENTRIES = "list_zip(json_keys({0}), json_extract({0}, '$.*')::varchar[])"


def _object(entries: str) -> str:
    return f"('{{' || array_to_string(list_transform({entries}, lambda e: to_json(e[1])::varchar || ':' || e[2]), ',') || '}}')"


def _merged(properties: str, known: str, context: str, odd_context: str) -> str:
    """Properties with the unknown keys of the line and of its context beside its own, which go first."""
    at_top = f"list_filter({_ENTRIES.format('doc')}, lambda e: not list_contains({known}, e[1]))"
    in_context = (
        f"case when {odd_context} then list_filter({_ENTRIES.format(context)}, "
        f"lambda e: not list_contains({array(CONTEXT_COLUMNS)}, e[1])) else [] end"
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
            return Cell(f"({name} ->> '$')", _JSON_KIND.format(f"json_type({name})", f"({name} ->> '$')"))
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
    text = f"nullif({own.text}, '')"
    valid = f"(json_valid({text}) and not regexp_matches({text}, '{_NOT_FINITE_IN_TEXT}'))"
    is_object = f"case when {valid} then json_type({text}) = 'OBJECT' else false end"
    wrong = (
        [(f"coalesce(not {is_object}, false) and {text} is not null", "properties")] if own != EMPTY else []
    )
    properties = f"case when {is_object} then {text} else '{{}}' end" if own != EMPTY else "'{}'"
    if strays:
        more = _ENTRIES.format(layout.object_of(strays, set()))
        fresh = f"list_filter({more}, lambda e: not list_contains(json_keys({properties}), e[1]))"
        properties = _object(f"list_concat({_ENTRIES.format(f'({properties})')}, {fresh})")
    return cells, properties, wrong


_NOT_FINITE_IN_TEXT = r"[:\[,]\s*[-+]?(?i:nan|inf)"
