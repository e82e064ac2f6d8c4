"""Opening the warehouse: DuckDB has one writer across processes, so connections are short and explicit."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import duckdb

from analysis.errors import Problem
from orchestration.errors import OrchestrationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import polars as pl

MEMORY_LIMIT_GIB = 6
THREADS = 2


@contextmanager
def writer(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A read-write connection in UTC, closed on leaving so that the next step or process may open the file.

    Args:
        path: The DuckDB file; created when absent.

    Raises:
        duckdb.IOException: Another process holds the file.
    """
    connection = duckdb.connect(
        str(path), config={"memory_limit": f"{MEMORY_LIMIT_GIB}GiB", "threads": THREADS}
    )
    try:
        connection.execute("set timezone = 'UTC'")
        yield connection
    finally:
        connection.close()


@contextmanager
def reader(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A read-only connection in UTC.

    Args:
        path: The DuckDB file.

    Raises:
        OrchestrationError: There is no warehouse yet, or a run holds it.
    """
    if not path.exists():
        raise OrchestrationError(
            Problem("nothing has been built yet", where=str(path), hint="run `fairsplit run` first")
        )
    try:
        connection = duckdb.connect(str(path), read_only=True)
    except duckdb.IOException as error:
        raise OrchestrationError(
            Problem("a run holds the warehouse", where=str(path), hint="ask again when the run has finished")
        ) from error
    try:
        connection.execute("set timezone = 'UTC'")
        yield connection
    finally:
        connection.close()


def replace_tables(
    connection: duckdb.DuckDBPyConnection, schema: str, tables: dict[str, pl.DataFrame]
) -> None:
    """Replace whole tables of one schema in one transaction, so that a kill leaves the old or the new set.

    Args:
        connection: A writer.
        schema: Target schema; created when absent.
        tables: Name → frame with the table's full content.
    """
    connection.execute("begin")
    connection.execute(f'create schema if not exists "{schema}"')
    for name, frame in tables.items():
        connection.register("_incoming", frame)
        connection.execute(f'create or replace table "{schema}"."{name}" as from _incoming')
        connection.unregister("_incoming")
    connection.execute("commit")


def insert_frame(connection: duckdb.DuckDBPyConnection, table: str, frame: pl.DataFrame) -> None:
    """Append a frame's rows to a table, by column name; part of the caller's transaction."""
    connection.register("_incoming", frame)
    connection.execute(f"insert into {table} by name from _incoming")
    connection.unregister("_incoming")


def add_columns(connection: duckdb.DuckDBPyConnection, table: str, columns: Mapping[str, str]) -> None:
    """Give a table that an earlier version wrote the columns that it lacks; its rows have nulls there.

    Args:
        connection: A writer.
        table: Schema and name.
        columns: SQL type by name.
    """
    for name, kind in columns.items():
        connection.execute(f'alter table {table} add column if not exists "{name}" {kind}')


def has_table(connection: duckdb.DuckDBPyConnection, schema: str, name: str) -> bool:
    """Whether a table or view of that name exists."""
    rows = connection.execute(
        "select 1 from information_schema.tables where table_schema = ? and table_name = ?", [schema, name]
    ).fetchall()
    return bool(rows)
