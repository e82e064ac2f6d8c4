"""Parquet and tables in SQL: the kind of a cell follows from its column's type."""

from __future__ import annotations

from dataclasses import dataclass

from analysis.catalogue.events import CONTRACT_COLUMNS
from orchestration.ingest.cells import (
    ARRAY,
    BOOLEAN,
    EMPTY,
    INSTANT,
    INTEGER,
    LOCAL_TIME,
    NUMBER,
    OBJECT,
    STRING,
    Cell,
    json_pairs,
    kind_of_token,
)
from orchestration.ingest.own_properties import with_strays
from orchestration.ingest.sql import identifier, literal

JSON = "JSON"
_KINDS = {
    "VARCHAR": STRING,
    "UUID": STRING,
    "ENUM": STRING,
    "BOOLEAN": BOOLEAN,
    "DATE": LOCAL_TIME,
    "TIMESTAMP WITH TIME ZONE": INSTANT,
    "STRUCT": OBJECT,
    "MAP": OBJECT,
    "UNION": OBJECT,
    **dict.fromkeys(("FLOAT", "DOUBLE", "DECIMAL", "HUGEINT", "UHUGEINT"), NUMBER),
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "BIGINT"), INTEGER),
    **dict.fromkeys(("UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"), INTEGER),
}


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
        kind = _kind(type_)
        if kind == JSON:
            return Cell(f"({name} ->> '$')", kind_of_token(f"{name}::varchar"))
        if kind in (OBJECT, ARRAY):
            return Cell(f"to_json({name})::varchar", literal(kind))
        return Cell(f"{name}::varchar", literal(kind), f"{name}::timestamp" if kind == LOCAL_TIME else name)

    def _resolve(self, column: str) -> tuple[str, str]:
        """The quoted expression and type of a column or, through dots, of a struct's field."""
        if column in self.types:
            return self._place(column), self.types[column]
        outer, _, inner = column.partition(".")
        fields = _struct_fields(self.types.get(outer, ""))
        return (f"{self._place(outer)}.{identifier(inner)}", fields[inner]) if inner in fields else ("", "")

    def _place(self, column: str) -> str:
        """Rows call their columns by place: a user's column may have any name, ours too."""
        return f"c{list(self.types).index(column)}"

    def columns(self) -> str:
        """The columns as `rows` expects them, for a SELECT from the file."""
        return ", ".join(f"{identifier(name)} as {self._place(name)}" for name in self.types)

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
        return with_strays(self, cells, strays)

    def object_of(self, columns: list[str] | None, taken: set[str]) -> str:
        """See `Layout`."""
        names = [name for name in self.types if name not in taken] if columns is None else columns
        pairs = [
            (name, f"to_json({self._resolve(name)[0]})::varchar") for name in names if self._resolve(name)[0]
        ]
        return json_pairs(pairs)


def _kind(type_: str) -> str:
    """The kind of a DuckDB type; of one that no event column takes, its own name."""
    base = type_.split("(", maxsplit=1)[0]
    if type_.endswith("]"):
        return ARRAY
    if base.startswith("TIMESTAMP") and base != "TIMESTAMP WITH TIME ZONE":
        return LOCAL_TIME
    return _KINDS.get(base, base)


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
