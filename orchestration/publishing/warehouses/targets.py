"""A database that results are written to: another DuckDB file, or any with an ADBC driver."""

from __future__ import annotations

import importlib
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

import duckdb

from fairsplit.analysis.errors import Problem
from fairsplit.orchestration.errors import OrchestrationError
from fairsplit.orchestration.landing.databases import named_database, without_address
from fairsplit.orchestration.landing.lakehouses import LAKEHOUSES
from fairsplit.orchestration.landing.sql import identifier

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa  # type: ignore[import-untyped]

    from fairsplit.analysis.catalogue.sources import Database


class Target(Protocol):
    """One transaction on a database."""

    def execute(self, sql: str) -> list[tuple[Any, ...]]:
        """Run a statement; its rows where it gives any."""
        ...

    def append(self, table: str, rows: pa.Table) -> None:
        """Append rows to a table, which is made where there is none."""
        ...

    def columns(self, table: str) -> list[str]:
        """The columns of a table; none where there is none."""
        ...


class _DuckDb:
    def __init__(self, connection: duckdb.DuckDBPyConnection, schema: str) -> None:
        self._connection, self._schema = connection, schema

    def execute(self, sql: str) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql).fetchall()

    def append(self, table: str, rows: pa.Table) -> None:
        name = qualified(self._schema, table)
        self._connection.register("_rows", rows)
        self._connection.execute(f"create table if not exists {name} as from _rows limit 0")
        self._connection.execute(f"insert into {name} by name from _rows")
        self._connection.unregister("_rows")

    def columns(self, table: str) -> list[str]:
        found = self._connection.execute(
            """select column_name from information_schema.columns
               where table_catalog = current_database() and table_schema = coalesce(nullif(?, ''), current_schema())
                 and table_name = ? order by ordinal_position""",
            [self._schema, table],
        ).fetchall()
        return [name for (name,) in found]


class _Adbc:
    def __init__(self, connection: Any, schema: str) -> None:
        self._connection, self._schema = connection, schema

    def execute(self, sql: str) -> list[tuple[Any, ...]]:
        with self._connection.cursor() as cursor:
            cursor.execute(sql)
            return [tuple(row) for row in cursor.fetchall()] if cursor.description else []

    def append(self, table: str, rows: pa.Table) -> None:
        place = {"db_schema_name": self._schema} if self._schema else {}
        with self._connection.cursor() as cursor:
            cursor.adbc_ingest(table, rows, mode="create_append", **place)

    def columns(self, table: str) -> list[str]:
        # Asked for a table that is not there, a driver may refuse, and with it the whole transaction.
        place = {"db_schema_filter": self._schema} if self._schema else {}
        found = self._connection.adbc_get_objects(depth="columns", table_name_filter=table, **place)
        return [
            column["column_name"]
            for catalog in found.read_all().to_pylist()
            for schema in catalog["catalog_db_schemas"] or ()
            for one in schema["db_schema_tables"] or ()
            if one["table_name"] == table
            for column in one["table_columns"]
        ]


def destination(text: str) -> Database:
    """The database that `--to` names.

    Raises:
        OrchestrationError: It names none, or a format that is only read.
    """
    database = named_database(text, "--to")
    if database.driver in LAKEHOUSES:
        raise OrchestrationError(Problem("is read and not written", "--to", database.driver))
    return database


def qualified(schema: str, table: str) -> str:
    """A table's name in SQL."""
    return ".".join(identifier(part) for part in (schema, table) if part)


@contextmanager
def target(database: Database, schema: str) -> Iterator[Target]:
    """One transaction on a database: what is written is there as a whole, or not at all.

    Args:
        database: Its driver, and the variable with its path or address.
        schema: Which of its schemas; its default where empty. It is made where there is none.

    Raises:
        OrchestrationError: It cannot be reached, has no such driver, or refuses.
    """
    address = os.environ.get(database.uri_from, "")
    if not address:
        rule = "the path of a DuckDB file, or the address of a database"
        raise OrchestrationError(Problem("the variable is not set", "--to", database.uri_from, rule))
    try:
        if database.driver == "duckdb":
            with duckdb.connect(address) as connection:
                connection.execute("begin transaction")
                if schema:
                    connection.execute(f"create schema if not exists {identifier(schema)}")
                yield _DuckDb(connection, schema)
                connection.execute("commit")
            return
        driver = importlib.import_module(f"adbc_driver_{database.driver}.dbapi")
        with driver.connect(address) as connection:
            found = _Adbc(connection, schema)
            if schema:
                found.execute(f"create schema if not exists {identifier(schema)}")
            yield found
            connection.commit()
    except ImportError as error:
        hint = f"`pip install adbc-driver-{database.driver}`"
        raise OrchestrationError(
            Problem("the driver is not installed", "--to", database.driver, hint=hint)
        ) from error
    except OrchestrationError:
        raise
    except Exception as error:  # each driver has errors of its own
        said = without_address(address, str(error))
        raise OrchestrationError(Problem("the database refused", "--to", said)) from error
