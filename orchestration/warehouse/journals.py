"""The journals that are tables, as files beside the warehouse too: acts and publications outlive it.

What the warehouse computes it can compute anew from what landed. What was said, done and published by then it cannot: a
file a journal in `journals/` has it, replaced whole by one rename, and a warehouse that is begun beside such files
begins with them. The journals of erasures and of transitions are files in the first place.
"""

from __future__ import annotations

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
        connection.execute(f"copy (from {name}) to {_literal(partial)} (format parquet)")
        sync(partial)
        partial.replace(file)
        sync(file.parent)


def differing(connection: duckdb.DuckDBPyConnection, home: Path) -> list[str]:
    """The journals whose file is missing, cannot be read, or tells something else."""
    tables = connection.execute(
        """select schema_name || '.' || table_name as name from duckdb_tables()
           where database_name = current_database() and (schema_name = 'journal' or
               schema_name = 'results' and table_name = 'acts')
           order by all"""
    ).fetchall()
    names = [name for (name,) in tables if name != _COMPUTED]
    return [name for name in names if not _is_told(connection, name, _file(home, name))]


def unreadable(connection: duckdb.DuckDBPyConnection, home: Path) -> list[Path]:
    """Files that cannot be read to their end."""
    found = []
    for file in sorted((home / FOLDER).glob("[!.]*.parquet")):
        try:
            connection.execute(f"from read_parquet({_literal(file)})").fetchall()
        except duckdb.Error:
            found.append(file)
    return found


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
    connection.execute("begin")
    for file in files:
        schema, table = file.stem.split(".", maxsplit=1)
        try:
            connection.execute(f'create schema if not exists "{schema}"')
            connection.execute(f'create table "{schema}"."{table}" as from read_parquet({_literal(file)})')
        except duckdb.Error as error:
            connection.execute("rollback")
            words, hint = (
                str(error).splitlines()[0],
                "restore it from a backup; moved away, what it tells is lost",
            )
            raise OrchestrationError(
                Problem("a journal cannot be read", str(file), words, "a whole Parquet file", hint)
            ) from error
    connection.execute("commit")


def _is_told(connection: duckdb.DuckDBPyConnection, name: str, file: Path) -> bool:
    if not file.exists():
        return False
    written = f"from read_parquet({_literal(file)})"
    try:
        return not connection.execute(
            f"(from {name} except all {written}) union all ({written} except all from {name}) limit 1"
        ).fetchall()
    except duckdb.Error:
        return False


def _file(home: Path, name: str) -> Path:
    return home / FOLDER / f"{name}.parquet"


def _literal(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
