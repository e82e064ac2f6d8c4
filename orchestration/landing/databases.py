"""Tables outside the warehouse, as something that the warehouse's SQL can select from once."""

from __future__ import annotations

import importlib
import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa  # type: ignore[import-untyped]
from pydantic import ValidationError

from fairsplit.analysis.catalogue.sources import Database
from fairsplit.analysis.errors import Problem
from fairsplit.orchestration.errors import OrchestrationError
from fairsplit.orchestration.landing.lakehouses import LAKEHOUSES
from fairsplit.orchestration.landing.sql import identifier, literal

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

_ATTACHED, _STREAM = "_fairsplit_source", "_fairsplit_stream"


def named_database(text: str, where: str) -> Database:
    """The database that an option names as `DRIVER:VARIABLE`.

    Raises:
        OrchestrationError: It names none.
    """
    driver, _, variable = text.partition(":")
    try:
        return Database.model_validate({"driver": driver, "uri_from": variable})
    except ValidationError:
        rule = "duckdb, postgresql, sqlite, … as sources have it, a colon and an environment variable"
        hint = "an address holds a password: it stands in the environment, as SHOP_DATABASE"
        said = driver if "//" in text else text
        raise OrchestrationError(Problem("names no database", where, said, rule, hint)) from None


class NotReadError(Exception):
    """Why a table gives nothing, in one sentence."""


@dataclass(frozen=True, slots=True)
class Newer:
    """Rows whose column is not before a value.

    Attributes:
        column: Its name.
        value: As text.
    """

    column: str
    value: str

    @property
    def condition(self) -> str:
        """As SQL that any database understands."""
        return f"{identifier(self.column)} >= {literal(self.value)}"


@contextmanager
def rows_of(
    cursor: duckdb.DuckDBPyConnection, database: Database | None, table: str, newer: Newer | None
) -> Iterator[str]:
    """SQL that names the rows of a table; they can be read once.

    Args:
        cursor: On the warehouse.
        database: Where the table lies; the warehouse where none.
        table: ``name``, ``schema.name`` or ``database.schema.name``.
        newer: Which rows; all of them without it.

    Yields:
        A table, or a query in parentheses.

    Raises:
        NotReadError: The variable is not set, a driver is missing, or the database refuses.
    """
    name = ".".join(identifier(part) for part in table.split("."))
    condition = f" where {newer.condition}" if newer else ""
    if database is None:
        yield f"(select * from {name}{condition})"
        return
    address = os.environ.get(database.uri_from, "")
    if not address:
        raise NotReadError(f"the environment variable {database.uri_from} is not set")
    if database.driver == "duckdb":
        if not os.path.isfile(address):  # noqa: PTH113 - attaching would make a file of what is missing
            raise NotReadError(f"no such file ({database.uri_from})")
        cursor.execute(f"attach {literal(address)} as {_ATTACHED} (read_only)")
        try:
            yield f"(select * from {_ATTACHED}.{name}{condition})"
        finally:
            cursor.execute(f"detach {_ATTACHED}")
        return
    with _stream(database, address, table, f"select * from {name}{condition}", newer) as stream:
        cursor.register(_STREAM, _plain(stream))
        try:
            yield _STREAM
        finally:
            cursor.unregister(_STREAM)


@contextmanager
def _stream(
    database: Database, address: str, table: str, query: str, newer: Newer | None
) -> Iterator[pa.RecordBatchReader]:
    """The rows in batches, of a database by its driver, of a table format by its library."""
    if database.driver in LAKEHOUSES:
        package, read = LAKEHOUSES[database.driver]
        try:
            stream = read(address, table, (newer.column, newer.value) if newer else None)
        except ImportError as error:
            raise NotReadError(f"{package} is not installed: `pip install {package}`") from error
        except Exception as error:  # each library has errors of its own
            raise NotReadError(without_address(address, str(error))) from error
        yield stream
        return
    with _connected(database, address) as connection, connection.cursor() as reading:
        try:
            reading.execute(query)
            stream = reading.fetch_record_batch()
        except Exception as error:  # each driver has errors of its own
            raise NotReadError(without_address(address, str(error))) from error
        yield stream


@contextmanager
def _connected(database: Database, address: str) -> Iterator[Any]:
    package = f"adbc_driver_{database.driver}"
    try:
        driver = importlib.import_module(f"{package}.dbapi")
    except ImportError as error:
        raise NotReadError(f"the driver is not installed: `pip install {package}`") from error
    try:
        connection = driver.connect(address)
    except Exception as error:  # each driver has errors of its own
        raise NotReadError(without_address(address, str(error))) from error
    with connection:
        yield connection


def without_address(address: str, words: str) -> str:
    """A driver's first line, without the address, which may hold a password."""
    return (words.strip().splitlines() or ["the database refused"])[0].replace(address, "…")


def _plain(stream: Any) -> pa.RecordBatchReader:
    """The stream with what a driver calls an extension as the type that it is stored in: DuckDB knows no other."""
    fields = [
        pa.field(field.name, field.type.storage_type)
        if isinstance(field.type, pa.BaseExtensionType)
        else field.remove_metadata()
        for field in stream.schema
    ]
    schema = pa.schema(fields)

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in stream:
            columns = [one.storage if isinstance(one, pa.ExtensionArray) else one for one in batch.columns]
            yield pa.RecordBatch.from_arrays(columns, schema=schema)

    return pa.RecordBatchReader.from_batches(schema, batches())
