"""A source: how files or tables of any layout become events of the contract."""

from __future__ import annotations

import math
import re
from datetime import timedelta
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import polars as pl
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from fairsplit.analysis.catalogue.events import CONTRACT_COLUMNS
from fairsplit.analysis.catalogue.fields import parse_duration

EPOCHS = {"epoch_s": "1000000", "epoch_ms": "1000", "epoch_us": "1", "epoch_ns": "0.001"}
"""How a count since 1970-01-01T00:00:00Z is named, and how many microseconds one of its units has."""

Scalar = str | int | float | bool


def _finite(value: Scalar) -> Scalar:
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value} is not a finite number")
    return value


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"{name} is no IANA time zone such as UTC or Europe/Berlin") from error
    return name


#: How addresses of object storage begin.
STORAGE = ("s3://", "gs://", "az://")


def _relative_glob(pattern: str) -> str:
    if pattern.startswith(STORAGE):
        bucket, _, key = pattern.partition("://")[2].partition("/")
        if not bucket or not key or any(sign in bucket for sign in "*?@:") or ".." in key.split("/"):
            raise ValueError(
                f"{pattern} must be a bucket without a password, then a glob: s3://bucket/folder/*.csv"
            )
        return pattern
    if pattern.startswith("/") or "\\" in pattern or ".." in pattern.split("/"):
        raise ValueError(f"{pattern} must be a glob relative to the landing folder, with / between folders")
    return pattern


def _known_columns(mapping: dict[str, Any]) -> dict[str, Any]:
    for name in mapping:
        if name not in CONTRACT_COLUMNS:
            raise ValueError(f"{name} is no event column; choose from {', '.join(CONTRACT_COLUMNS)}")
    return mapping


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Condition(_Strict):
    """A test of one source column, or a combination of tests; text is compared as text.

    Attributes:
        column: The source column; dots reach into nested objects.
        equals: True where the cell, as text, equals this.
        not_equals: True where the cell differs from this or is empty.
        in_: One of these (YAML key ``in``).
        not_in: None of these; an empty cell is none of them.
        present: True asks for a cell that is not empty, false for an empty one.
        above: True where the cell is a number greater than this.
        at_least: True where the cell is a number not less than this.
        all: Every one of these conditions.
        any: At least one of these conditions.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=True)

    column: str | None = None
    equals: Scalar | None = None
    not_equals: Scalar | None = None
    in_: list[Scalar] | None = Field(default=None, alias="in", min_length=1)
    not_in: list[Scalar] | None = Field(default=None, min_length=1)
    present: bool | None = None
    above: int | float | None = None
    at_least: int | float | None = None
    all: list[Condition] | None = Field(default=None, min_length=1)
    any: list[Condition] | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _one_test(self) -> Self:
        operators = [
            name
            for name in ("equals", "not_equals", "in_", "not_in", "present", "above", "at_least")
            if getattr(self, name) is not None
        ]
        groups = [name for name in ("all", "any") if getattr(self, name) is not None]
        if self.column is not None and len(operators) == 1 and not groups:
            return self
        if self.column is None and not operators and len(groups) == 1:
            return self
        raise ValueError(
            "a condition is either a column with exactly one operator, or exactly one of all, any"
        )


class Mapped(_Strict):
    """Where one event column comes from.

    Attributes:
        column: The source column; dots reach into nested objects of NDJSON and Parquet structs.
        columns: Several source columns, joined as text by `separator`; empty if any of them is empty.
        separator: Stands between the joined columns.
        cast: ``number`` reads numeric text as a number (for `value`), ``text`` reads numbers and booleans
            as text. CSV cells are always cast.
        format: For `occurred_at`: ``iso`` (default), ``epoch_s``, ``epoch_ms``, ``epoch_us``,
            ``epoch_ns``, or a strptime pattern such as ``%d/%m/%Y %H:%M``.
        values: Translation of cell texts; a text that is not listed stays as it is.
    """

    column: str | None = None
    columns: list[str] | None = Field(default=None, min_length=1)
    separator: str = ":"
    cast: Literal["number", "text"] | None = None
    format: str = "iso"
    values: dict[str, str] | None = None

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if (self.column is None) == (self.columns is None):
            raise ValueError("give either column or columns")
        if self.format != "iso" and self.format not in EPOCHS and "%" not in self.format:
            raise ValueError(f"format {self.format} must be iso, {', '.join(EPOCHS)} or a strptime pattern")
        return self


def _expand(value: object) -> object:
    return {"column": value} if isinstance(value, str) else value


Mapping_ = Annotated[
    dict[str, Annotated[Mapped, BeforeValidator(_expand)]],
    AfterValidator(_known_columns),
]
Constants = Annotated[dict[str, Annotated[Scalar, AfterValidator(_finite)]], AfterValidator(_known_columns)]


class SourceEvent(_Strict):
    """One of the events that a source row gives rise to.

    Attributes:
        name: The event's name.
        suffix: Appended to the row's event id, so that the events of one row have ids of their own.
        when: The row gives this event only where this holds.
        columns: Mappings beside or instead of the source's own.
        constants: Constants beside or instead of the source's own.
    """

    name: str = Field(min_length=1)
    suffix: str = ""
    when: Condition | None = None
    columns: Mapping_ = {}
    constants: Constants = {}


class Database(_Strict):
    """Where a table lies that is not in the warehouse.

    Attributes:
        driver: ``duckdb`` for another DuckDB file, ``delta`` or ``iceberg`` for tables of these formats, else the ADBC
            driver: ``postgresql``, ``sqlite``, ``snowflake``, ``bigquery`` or ``flightsql``.
        uri_from: The environment variable that holds the file's path, the folder or bucket of Delta tables, or the
            address of the database or Iceberg catalogue: it may hold a password.
    """

    driver: Literal[
        "duckdb", "postgresql", "sqlite", "snowflake", "bigquery", "flightsql", "delta", "iceberg"
    ]
    uri_from: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$", max_length=128)]


class Watermark(_Strict):
    """What tells rows that are new: only those not older than the newest one taken are asked for.

    Attributes:
        column: A column that grows, such as when the row was written.
        look_back: How far before the newest one rows may still come, where the column is a time.
    """

    column: str = Field(min_length=1)
    look_back: Annotated[timedelta, BeforeValidator(parse_duration)] = timedelta()


class Source(_Strict):
    """One file of ``catalog/sources/``: a layout and how it maps to the event contract.

    Exactly one of `files` and `table` is given. Only mapped columns are read. Without `events` a row is one
    event, whose `event_name` is a mapped column or a constant.

    Attributes:
        id: Slug, equal to the file's name.
        description: For readers.
        files: Glob below the landing folder (``*`` stays within a folder, ``**`` crosses folders), or in object
            storage: ``s3://bucket/…``, ``gs://…``, ``az://container/…``.
        table: ``name``, ``schema.name`` or ``database.schema.name`` of a table or view in the warehouse, for example
            a dbt model; with `from` of that database.
        from_: Database of the table (YAML key ``from``); the warehouse if left out.
        watermark: With `from`: which rows are asked for again; all of them if left out.
        format: Of the files, where the content does not tell.
        delimiter: Of CSV files, where the header does not tell.
        timezone: Zone of times written without an offset; without it such times are quarantined.
        columns: Event column ← source column.
        constants: Event column ← fixed value.
        properties: Source columns kept in `properties`, or ``*`` for all that are not mapped.
        when: Rows that give no event at all where this does not hold.
        events: The events of one row.
        model: The dbt model whose rows these are: semantic models over it are measures of experiments. Its events have
            the model's name unless `constants` gives another.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=True)

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")
    description: str = ""
    files: Annotated[str, AfterValidator(_relative_glob)] | None = Field(default=None, min_length=1)
    table: str | None = Field(default=None, pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*){0,2}$")
    from_: Database | None = Field(default=None, alias="from")
    watermark: Watermark | None = None
    format: Literal["ndjson", "csv", "parquet"] | None = None
    delimiter: str | None = Field(default=None, min_length=1, max_length=1)
    timezone: Annotated[str, AfterValidator(_known_zone)] | None = None
    columns: Mapping_ = {}
    constants: Constants = {}
    properties: list[str] | Literal["*"] = []
    when: Condition | None = None
    events: list[SourceEvent] = []
    model: str | None = Field(default=None, pattern=r"^[A-Za-z_]\w*$")

    @property
    def in_storage(self) -> bool:
        """Whether the files lie in object storage."""
        return self.files is not None and self.files.startswith(STORAGE)

    @property
    def place(self) -> str:
        """Where the rows come from, for people."""
        return f"table {self.table}" if self.table else str(self.files)

    @property
    def landed_below(self) -> str | None:
        """The folder, relative to the landing folder, of what is fetched; none where files are dropped there."""
        if self.table is not None:
            return f"tables/{self.id}/"
        return f"objects/{self.id}/" if self.in_storage else None

    @property
    def event_of_model(self) -> str:
        """The name of the events that a row of `model` becomes."""
        return str(self.constants.get("event_name", self.model))

    @property
    def fixed(self) -> dict[str, Scalar]:
        """Event column ← fixed value, the name of a model's events among them."""
        return {"event_name": self.event_of_model, **self.constants} if self.model else self.constants

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        if (self.files is None) == (self.table is None):
            raise ValueError("give either files (a glob below landing or in storage) or table (schema.name)")
        if self.table is not None and (self.format or self.delimiter):
            raise ValueError("format and delimiter belong to files, not to a table")
        if self.from_ is not None and self.table is None:
            raise ValueError("from names a database: say which table")
        if self.watermark is not None and self.from_ is None:
            raise ValueError("a watermark belongs to a table of a database (from)")
        if self.model is not None and (self.events or "event_name" in self.columns):
            raise ValueError("a row of a model is one event of one name: leave out events and event_name")
        suffixes = [event.suffix for event in self.events]
        if len(set(suffixes)) < len(suffixes):
            raise ValueError("two events of one row have the same suffix: their event ids would be equal")
        for event in self.events:
            columns, constants = {**self.columns, **event.columns}, {**self.fixed, **event.constants}
            self._check_complete(columns, constants, named=True)
        if not self.events:
            self._check_complete(self.columns, self.fixed, named=False)
        return self

    @staticmethod
    def _check_complete(columns: dict[str, Mapped], constants: dict[str, Scalar], *, named: bool) -> None:
        if "event_id" not in columns:
            raise ValueError("columns must map event_id (several columns may be joined)")
        if "occurred_at" not in columns and "occurred_at" not in constants:
            raise ValueError("map occurred_at, or give it as a constant instant")
        if not named and "event_name" not in columns and "event_name" not in constants:
            raise ValueError("map event_name, give it as a constant, or list events")

    def covers(self, path: str) -> bool:
        """Whether `path` (relative to the landing folder, with ``/``) is a file of this source."""
        if self.landed_below is not None:
            return path.startswith(self.landed_below)
        if self.files is None:
            return False
        # Rust's engine: linear in the path, whatever stars the pattern has. A name may hold line ends.
        return bool(pl.Series([path]).str.contains(f"(?s)^(?:{glob_regex(self.files)})$").item())


def glob_regex(pattern: str) -> str:
    r"""The regular expression of a glob: ``*`` and ``?`` stay within a folder, ``**/`` crosses folders.

    >>> glob_regex("a/*.csv")
    'a/[^/]*\\.csv'
    """
    pieces = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    return "".join(pieces.get(part, re.escape(part)) for part in parts)
