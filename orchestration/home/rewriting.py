"""The warehouse's file written anew: what is kept of a damaged one, or everything without the bytes of deleted rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

from fairsplit.assignment_exports.durable import sync
from fairsplit.orchestration.home.damage import put_aside
from fairsplit.orchestration.home.migrating import is_computed

if TYPE_CHECKING:
    from pathlib import Path

    from fairsplit.orchestration.project import Home


def salvage(home: Home) -> None:
    """Put a warehouse of the kept tables in place of a damaged one, which goes to `strays/`.

    Args:
        home: The home; nobody has its warehouse open.

    Raises:
        duckdb.Error: A kept table cannot be read; nothing has changed.
    """
    fresh = _fresh(home.warehouse)
    with duckdb.connect(str(fresh)) as connection:
        _attach(connection, home.warehouse)
        tables = connection.execute(
            """select schema_name, table_name, sql from duckdb_tables()
               where database_name = 'old' and not internal order by all"""
        ).fetchall()
        for schema, table, definition in tables:
            if not is_computed(schema, table):
                connection.execute(f'create schema if not exists "{schema}"')
                connection.execute(definition)
                connection.execute(f'insert into "{schema}"."{table}" from old."{schema}"."{table}"')
        connection.execute("delete from landing.home")
        connection.execute("detach old")
        connection.execute("checkpoint")
    sync(fresh)
    put_aside(home, home.warehouse)
    fresh.replace(home.warehouse)
    sync(home.root)


def compact(warehouse: Path) -> None:
    """Write the database into a new file and put that in its place, so that no byte of a deleted row is left.

    Args:
        warehouse: The DuckDB file; nobody has it open.

    Raises:
        duckdb.Error: It cannot be read; nothing has changed.
    """
    fresh = _fresh(warehouse)
    with duckdb.connect(str(fresh)) as connection:
        _attach(connection, warehouse)
        connection.execute(
            f'copy from database old to "{connection.execute("select current_database()").fetchall()[0][0]}"'
        )
        connection.execute("detach old")
        connection.execute("checkpoint")
    sync(fresh)
    fresh.replace(warehouse)
    sync(warehouse.parent)


def _fresh(warehouse: Path) -> Path:
    """An empty file beside the warehouse, its owner's alone; one that a killed writing left is begun anew."""
    fresh = warehouse.with_name("fresh.duckdb")
    for path in (fresh, fresh.with_name("fresh.duckdb.wal")):
        path.unlink(missing_ok=True)
    duckdb.connect(str(fresh)).close()
    fresh.chmod(0o600)
    return fresh


def _attach(connection: duckdb.DuckDBPyConnection, warehouse: Path) -> None:
    path = str(warehouse).replace("'", "''")
    connection.execute(f"attach '{path}' as old (read_only)")
