"""The version of what lies in a home: a warehouse of another one is refused in a sentence, by whatever opens it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fairsplit.analysis.errors import Problem
from fairsplit.orchestration.errors import OrchestrationError

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb

#: Grows with every change of what is kept and cannot be computed anew; `orchestration/home/migrating.py` has the steps.
#: 1 is what homes without a mark have; 2 keeps the size and the checksum of each lake file.
SCHEMA: Final = 2


def version_of(connection: duckdb.DuckDBPyConnection) -> int | None:
    """The version of a warehouse; none where nothing has landed yet, so that any version may begin it."""
    tables = connection.execute(
        """select table_name from duckdb_tables()
           where database_name = current_database() and schema_name = 'landing'
               and table_name in ('manifest', 'schema_version')"""
    ).fetchall()
    names = {name for (name,) in tables}
    if "schema_version" in names:
        marks = connection.execute("select max(version) from landing.schema_version").fetchall()
        if marks[0][0] is not None:
            return int(marks[0][0])
    return 1 if "manifest" in names else None


def mark(connection: duckdb.DuckDBPyConnection) -> None:
    """Note that a warehouse is of this version."""
    connection.execute("create schema if not exists landing")
    connection.execute(f"create or replace table landing.schema_version as select {SCHEMA} as version")


def require_present(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Go on only with a warehouse of this version, or with an empty one.

    Args:
        connection: On the warehouse.
        path: Its file, for the message.

    Raises:
        OrchestrationError: It is older, or newer.
    """
    found = version_of(connection)
    if found is None or found == SCHEMA:
        return
    if found > SCHEMA:
        raise OrchestrationError(
            Problem(
                "the home was written by a newer version of Fairsplit",
                where=str(path),
                value=f"schema {found}",
                rule=f"schema {SCHEMA}",
                hint="use that version, or restore a backup that this one made",
            )
        )
    raise OrchestrationError(
        Problem(
            "the home was written by an older version of Fairsplit",
            where=str(path),
            value=f"schema {found}",
            rule=f"schema {SCHEMA}",
            hint="`fairsplit run` migrates it, and keeps a copy",
        )
    )
