"""Opening the warehouse: DuckDB has one writer across processes, so connections are short and explicit."""

from __future__ import annotations

import os
import re
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from fairsplit.analysis.errors import Problem
from fairsplit.orchestration.errors import OrchestrationError
from fairsplit.orchestration.home.schema import require_present
from fairsplit.orchestration.warehouse.journals import begin_with

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import polars as pl

MEMORY_LIMIT_GIB = 6
THREADS = 2
#: A writer waits this long for who only looks in, as sensors and `status` do.
WAIT_SECONDS = 5.0
#: While a backup copies the file, everybody waits so much longer: this folder beside it says so.
SNAPSHOT = ".snapshot"
BACKUP_SECONDS = 120.0
_PAUSE_SECONDS = 0.1
_HELD = re.compile(r"lock.*?\(PID (?P<pid>\d+)\)", re.DOTALL | re.IGNORECASE)


@contextmanager
def writer(path: Path, wait_seconds: float = WAIT_SECONDS) -> Iterator[duckdb.DuckDBPyConnection]:
    """A read-write connection in UTC, closed on leaving so that the next step or process may open the file.

    Args:
        path: The DuckDB file; created when absent, readable by its owner alone.
        wait_seconds: How long to wait for another process that has it open.

    Raises:
        OrchestrationError: Another process holds the file, it is no warehouse, or one of another schema.
    """
    with any_schema(path, wait_seconds) as connection:
        require_present(connection, path)
        yield connection


@contextmanager
def any_schema(path: Path, wait_seconds: float = WAIT_SECONDS) -> Iterator[duckdb.DuckDBPyConnection]:
    """A `writer` on a warehouse of any version: to migrate, to check and to copy it."""
    is_new = not path.exists()
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": f"{MEMORY_LIMIT_GIB}GiB",
        "threads": THREADS,
        "max_vacuum_tasks": 0,  # `merging` does it
    }
    with _opened(path, lambda: duckdb.connect(str(path), config=config), wait_seconds) as connection:
        if is_new:
            path.chmod(0o600)
        if not connection.execute("select 1 from duckdb_tables() limit 1").fetchall():
            begin_with(connection, path.parent)
        yield connection


@contextmanager
def reader(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A read-only connection in UTC.

    Args:
        path: The DuckDB file.

    Raises:
        OrchestrationError: There is no warehouse yet, another process holds it, the file is none, or it is of another
            schema.
    """
    if not path.exists():
        raise OrchestrationError(
            Problem("nothing has been built yet", where=str(path), hint="run `fairsplit run` first")
        )
    with _opened(path, lambda: duckdb.connect(str(path), read_only=True)) as connection:
        require_present(connection, path)
        yield connection


@contextmanager
def _opened(
    path: Path, connect: Callable[[], duckdb.DuckDBPyConnection], wait_seconds: float = 0.0
) -> Iterator[duckdb.DuckDBPyConnection]:
    """The connection, once a reader of moments has let go of the file."""
    if path.exists() and not path.is_file():
        # A pipe would be waited for, for ever.
        what = f"the warehouse is {'a folder' if path.is_dir() else 'no file'}"
        raise OrchestrationError(Problem(what, where=str(path), rule="a DuckDB file", hint="move it away"))
    until = time.monotonic() + wait_seconds
    while True:
        try:
            connection = connect()
            break
        except duckdb.Error as error:
            busy = _HELD.search(str(error))
            is_copied = path.with_name(SNAPSHOT).is_dir()
            if busy and time.monotonic() < until + (BACKUP_SECONDS if is_copied else 0.0):
                time.sleep(_PAUSE_SECONDS)
                continue
            raise OrchestrationError(_unopened(path, busy, error)) from error
    try:
        connection.execute("set timezone = 'UTC'")
        yield connection
    finally:
        connection.close()


def _unopened(path: Path, busy: re.Match[str] | None, error: duckdb.Error) -> Problem:
    if busy:
        return Problem(
            "a run holds the warehouse",
            where=str(path),
            value=f"process {busy['pid']}{_since(int(busy['pid']))}",
            rule="one process at a time",
            hint="ask again when it has finished",
        )
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        return Problem("not permitted to write", where=str(path), hint="run as the owner of the home")
    return Problem(
        "the warehouse cannot be read",
        where=str(path),
        value=str(error).splitlines()[0],
        rule="a whole DuckDB file",
        hint="move the file and `lake/` beside it away: `fairsplit run` builds both anew from `landing/`, with the acts"
        " and publications of `journals/`",
    )


def _since(pid: int) -> str:
    """When a process began, where the system tells."""
    try:
        ticks = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19]
        uptime = Path("/proc/uptime").read_text(encoding="utf-8").split()[0]
    except (OSError, IndexError):
        return ""
    age = timedelta(seconds=float(uptime) - int(ticks) / os.sysconf("SC_CLK_TCK"))
    return f", which began at {datetime.now(UTC) - age:%Y-%m-%d %H:%M:%S} UTC"


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
