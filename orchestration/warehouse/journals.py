"""The journals that are tables, as files beside the warehouse too: acts and publications outlive it.

What the warehouse computes it can compute anew from what landed. What was said, done and published by then it cannot: a
file a journal in `journals/` has it, replaced whole by one rename, and a warehouse that is begun beside such files
begins with them. The journals of erasures and of transitions are files in the first place.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import duckdb

from fairsplit.analysis.errors import Problem
from fairsplit.assignment_exports.durable import sync
from fairsplit.orchestration.errors import OrchestrationError

if TYPE_CHECKING:
    from pathlib import Path

FOLDER: Final = "journals"
#: Checksums of tables as of the newest publication: they are noted anew with it.
_COMPUTED: Final = "journal.tables"
#: In the file's metadata: SHA-256 of its rows.
_KEY: Final = "fairsplit_rows_sha256"


def keep(connection: duckdb.DuckDBPyConnection, home: Path) -> None:
    """Have the files tell what the tables tell; only those that differ are written.

    Args:
        connection: On the warehouse.
        home: The home folder.
    """
    for name in differing(connection, home):
        file = _file(home, name)
        file.parent.mkdir(mode=0o700, exist_ok=True)
        partial = file.with_name(f".{file.name}.part")
        told = _rows_hash(connection, name)
        connection.execute(
            f"copy (from {name}) to {_literal(partial)} (format parquet, kv_metadata {{{_KEY}: '{told}'}})"
        )
        sync(partial)
        partial.replace(file)
        sync(file.parent)


def differing(connection: duckdb.DuckDBPyConnection, home: Path) -> list[str]:
    """The journals whose file is missing, is not as it was written, or tells something else."""
    names = _names(connection)
    return [name for name in names if not _is_told(connection, name, _file(home, name))]


def _names(connection: duckdb.DuckDBPyConnection) -> list[str]:
    tables = connection.execute(
        """select schema_name || '.' || table_name as name from duckdb_tables()
           where database_name = current_database() and (schema_name = 'journal' or
               schema_name = 'results' and table_name = 'acts')
           order by all"""
    ).fetchall()
    return [name for (name,) in tables if name != _COMPUTED]


def damaged(connection: duckdb.DuckDBPyConnection, home: Path) -> list[tuple[Path, str]]:
    """Files that cannot be read to their end, or whose rows are not those that were written, and what is wrong."""
    found = []
    for file in sorted((home / FOLDER).glob("[!.]*.parquet")):
        fault = _fault(connection, file)
        if fault:
            found.append((file, fault))
    return found


def missing(connection: duckdb.DuckDBPyConnection, home: Path) -> list[tuple[Path, str]]:
    """Files that a publication has written and that are gone."""
    names = _names(connection)
    ledger = "journal.publications"
    if ledger not in names or not connection.execute(f"from {ledger} limit 1").fetchall():
        return []
    files = (_file(home, name) for name in names)
    return [(file, "it is missing") for file in files if not file.exists()]


def begin_with(connection: duckdb.DuckDBPyConnection, home: Path) -> None:
    """Fill a new warehouse with the journals that an earlier one left.

    Args:
        connection: A writer on a warehouse without tables.
        home: The home folder.

    Raises:
        OrchestrationError: A file cannot be read; nothing is begun.
    """
    files = sorted((home / FOLDER).glob("[!.]*.parquet"))
    if not files:
        return
    found = damaged(connection, home)
    if found:
        file, words = found[0]
        hint = "restore it from a backup; moved away, what it tells is lost"
        raise OrchestrationError(
            Problem("a journal cannot be read", str(file), words, "as it was written", hint)
        )
    connection.execute("begin")
    for file in files:
        schema, table = file.stem.split(".", maxsplit=1)
        connection.execute(f'create schema if not exists "{schema}"')
        connection.execute(f'create table "{schema}"."{table}" as from read_parquet({_literal(file)})')
    connection.execute("commit")


def _is_told(connection: duckdb.DuckDBPyConnection, name: str, file: Path) -> bool:
    if not file.exists() or _fault(connection, file):
        return False
    written = f"from read_parquet({_literal(file)})"
    try:
        return not connection.execute(
            f"(from {name} except all {written}) union all ({written} except all from {name}) limit 1"
        ).fetchall()
    except duckdb.Error:
        return False


def _fault(connection: duckdb.DuckDBPyConnection, file: Path) -> str:
    """What is wrong with a file; empty where its rows are those of which it tells the hash."""
    try:
        noted = connection.execute(
            f"select decode(value) from parquet_kv_metadata({_literal(file)}) where decode(key) = '{_KEY}'"
        ).fetchall()
        rows = _rows_hash(connection, f"read_parquet({_literal(file)})")
    except duckdb.Error as error:
        return str(error).splitlines()[0]
    if not noted:
        return "it tells no checksum of its rows: an earlier version wrote it, or another tool"
    return "" if noted == [(rows,)] else "its rows are not those that were written"


def _rows_hash(connection: duckdb.DuckDBPyConnection, rows: str) -> str:
    """SHA-256 over the rows as text, in the order of that text."""
    texts = connection.execute(f"select t::varchar from (from {rows}) as t order by all").fetchall()
    return hashlib.sha256("\n".join(text for (text,) in texts).encode()).hexdigest()


def _file(home: Path, name: str) -> Path:
    return home / FOLDER / f"{name}.parquet"


def _literal(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
