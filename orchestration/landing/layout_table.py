"""Parquet and tables in SQL: the kind of a cell follows from its column's type."""

from __future__ import annotations

from dataclasses import dataclass

from fairsplit.orchestration.landing.cells import (
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
    inside,
    json_pairs,
    kind_of_token,
)
from fairsplit.orchestration.landing.limits import KEPT_BYTES, MAX_RECORD_BYTES
from fairsplit.orchestration.landing.own_properties import columns_as_events
from fairsplit.orchestration.landing.sql import identifier, literal
from fairsplit.orchestration.landing.wide_decimals import is_wide

JSON = "JSON"
_KINDS = {
    "VARCHAR": STRING,
    "UUID": STRING,
    "ENUM": STRING,
    "BOOLEAN": BOOLEAN,
    "DATE": LOCAL_TIME,
    "TIMESTAMP WITH TIME ZONE": INSTANT,
    "TIMESTAMPTZ_NS": INSTANT,
    "STRUCT": OBJECT,
    "MAP": OBJECT,
    "UNION": OBJECT,
    **dict.fromkeys(("FLOAT", "DOUBLE", "DECIMAL"), NUMBER),
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "BIGNUM"), INTEGER),
    **dict.fromkeys(("UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT"), INTEGER),
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
        """See `Layout`; a name with dots reaches into structs, maps and texts of JSON."""
        name, type_, steps = self._resolve(column)
        if not name:
            return EMPTY
        if steps:
            return inside(_text_of(name, type_), steps)
        kind = _kind(type_)
        if kind == JSON:
            return Cell(f"({name} ->> '$')", kind_of_token(f"{name}::varchar"))
        if kind in (OBJECT, ARRAY):
            return Cell(_json_text(name, type_), literal(kind))
        typed = _instant_of(name, type_) if kind in (INSTANT, LOCAL_TIME) else ""
        return Cell(f"{name}::varchar", literal(kind), typed)

    def _resolve(self, column: str) -> tuple[str, str, list[str]]:
        """The expression and type of a column or of a struct's field, and the steps that reach further into it."""
        if column in self.types:
            return self._place(column), self.types[column], []
        steps = column.split(".")
        for length in range(len(steps) - 1, 0, -1):
            outer = ".".join(steps[:length])
            if outer in self.types:
                return _descend(self._place(outer), self.types[outer], steps[length:])
        return "", "", []

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
        texts = [_size_of(self._place(name), type_) for name, type_ in self.types.items() if _is_text(type_)]
        size = " + ".join(f"coalesce({text}, 0)" for text in texts) or "0"
        fault = f"'a row of ' || ({size}) || ' bytes, of which the first {KEPT_BYTES} are kept'"
        return f"select *, case when {size} > {MAX_RECORD_BYTES} then {fault} end as fault from {relation}"

    def own_events(self) -> tuple[dict[str, Cell], str, list[tuple[str, str]]]:
        """See `Layout`: columns named as in the contract, `properties` and `context` structs, maps or JSON."""
        return columns_as_events(self, self.names())

    def json_of(self, column: str) -> str:
        """See `Layout`."""
        name, type_, steps = self._resolve(column)
        if steps:
            return f"to_json({self.cell(column).text})::varchar"
        return _json_text(name, type_) if name else "null::varchar"

    def object_of(self, columns: list[str] | None, taken: set[str]) -> str:
        """See `Layout`."""
        names = [name for name in self.types if name not in taken] if columns is None else columns
        return json_pairs([(name, self.json_of(name)) for name in names if self._resolve(name)[0]])


def _descend(name: str, type_: str, steps: list[str]) -> tuple[str, str, list[str]]:
    """Through fields of structs as far as the steps lead; nothing where a struct has no such field."""
    while steps and type_.startswith("STRUCT("):
        fields = _struct_fields(type_)
        if steps[0] not in fields:
            return "", "", []
        name, type_, steps = f"{name}.{identifier(steps[0])}", fields[steps[0]], steps[1:]
    reaches = not steps or _kind(type_) in (JSON, STRING, OBJECT)
    return (name, type_, steps) if reaches else ("", "", [])


def _text_of(name: str, type_: str) -> str:
    """The value as text: of what is nested its JSON."""
    return f"{name}::varchar" if _kind(type_) not in (OBJECT, ARRAY) else _json_text(name, type_)


def _json_text(name: str, type_: str) -> str:
    """The value as JSON text; fields of structs that are null are left out, as JSON leaves them out."""
    if is_wide(type_):
        return name
    text = f"to_json({name})::varchar"
    return f"json_merge_patch('{{}}', {text})::varchar" if type_.startswith("STRUCT(") else text


def _kind(type_: str) -> str:
    """The kind of a DuckDB type; of one that no event column takes, its own name."""
    base = type_.split("(", maxsplit=1)[0]
    if base == "DECIMAL" and type_.endswith(",0)"):
        return INTEGER
    if type_.endswith("]"):
        return ARRAY
    if base.startswith("TIMESTAMP") and base not in _KINDS:
        return LOCAL_TIME
    return _KINDS.get(base, base)


def _is_text(type_: str) -> bool:
    """Whether values of the type may be of any size."""
    return _kind(type_) in (JSON, OBJECT, ARRAY) or type_ in ("VARCHAR", "BLOB", "BIT")


def _size_of(name: str, type_: str) -> str:
    """Bytes of the value's text."""
    return f"octet_length({name})" if type_ == "BLOB" else f"strlen({_text_of(name, type_)})"


def _instant_of(name: str, type_: str) -> str:
    """The column as TIMESTAMP, finer than a microsecond cut off; null where it is infinite or out of range."""
    if type_.endswith("_NS"):
        nanoseconds = f"epoch_ns({name})"
        return f"make_timestamp({nanoseconds} // 1000 - ({nanoseconds} % 1000 < 0)::integer)"
    if type_ == "TIMESTAMP WITH TIME ZONE":
        return f"case when isfinite({name}) then make_timestamp(epoch_us({name})) end"
    instant = f"try_cast({name} as timestamp)"
    return f"case when isfinite({instant}) then {instant} end"


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
