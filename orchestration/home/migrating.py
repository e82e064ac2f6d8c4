"""An older home brought up to date: a copy kept first, then one transaction, and what is computed is computed anew."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Final

from fairsplit.assignment_exports.durable import checksum, sync
from fairsplit.orchestration.home.schema import SCHEMA, mark, require_present, version_of
from fairsplit.orchestration.warehouse.opening import any_schema

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import duckdb

    from fairsplit.orchestration.project import Home

#: In the home: warehouses as they were before they were migrated.
COPIES: Final = "copies"
#: Schemas whose tables are computed from the others; of `results` the journal of acts stays.
_COMPUTED: Final = ("main", "results", "catalog", "work", "quality")
_KEPT: Final = ("results", "acts")


def migrate(home: Home, say: Callable[[str], None]) -> None:
    """Bring the home to the present schema; nothing is done where it is there.

    Killed anywhere it leaves the old warehouse or the new one; the next run begins again or goes on.

    Args:
        home: Prepared home; nobody else has its warehouse open.
        say: Called with a line where something is done.

    Raises:
        OrchestrationError: The home is newer, or another process holds the warehouse.
    """
    if not home.warehouse.exists():
        return
    with any_schema(home.warehouse) as connection:
        found = version_of(connection)
        if found is None or found >= SCHEMA:
            require_present(connection, home.warehouse)
            return
        connection.execute("checkpoint")
    _close_to_others(home)
    copy = _keep_copy(home, found)
    say(f"the home is of schema {found}: it is migrated to {SCHEMA}; a copy is kept at {copy}")
    with any_schema(home.warehouse) as connection:
        connection.execute("begin")
        for step in _STEPS[found - 1 :]:
            step(connection, home.root)
        drop_what_is_computed(connection)
        mark(connection)
        connection.execute("commit")


def _close_to_others(home: Home) -> None:
    """Events and ids are for the owner of the home; what others landed keeps its own modes."""
    for path in home.root.rglob("*"):
        if not path.is_symlink() and not path.is_relative_to(home.landing):
            path.chmod(path.stat().st_mode & ~0o077)


def _keep_copy(home: Home, version: int) -> Path:
    copy = home.root / COPIES / f"schema-{version}" / home.warehouse.name
    copy.parent.mkdir(parents=True, exist_ok=True)
    partial = copy.with_name(f".{copy.name}.part")
    shutil.copy2(home.warehouse, partial)
    sync(partial)
    partial.replace(copy)
    sync(copy.parent)
    return copy


def drop_what_is_computed(connection: duckdb.DuckDBPyConnection) -> None:
    """The next run finds no day built and builds all of them, as in a new home that has the same files.

    Without a note of where the home lies, the next ingest writes the views anew.
    """
    connection.execute("delete from landing.home")
    names = connection.execute(
        """select schema_name, table_name, 'table' from duckdb_tables() where not internal
           union all
           select schema_name, view_name, 'view' from duckdb_views() where not internal"""
    ).fetchall()
    for schema, name, kind in names:
        if is_computed(schema, name):
            connection.execute(f'drop {kind} if exists "{schema}"."{name}" cascade')


def is_computed(schema: str, name: str) -> bool:
    """Whether a table can be built anew from the others and the lake."""
    return schema in _COMPUTED and (schema, name) != _KEPT


def _checksums_of_lake_files(connection: duckdb.DuckDBPyConnection, root: Path) -> None:
    """From 1 to 2. A lake file that is missing gets no checksum: `fairsplit fsck` names it."""
    connection.execute(
        "alter table landing.manifest add column if not exists rows_repeated_hour bigint default 0"
    )
    connection.execute("alter table landing.lake_files add column if not exists bytes bigint")
    connection.execute("alter table landing.lake_files add column if not exists sha256 varchar")
    for (path,) in connection.execute("select path from landing.lake_files order by path").fetchall():
        file = root / path
        if file.is_file():
            connection.execute(
                "update landing.lake_files set bytes = ?, sha256 = ? where path = ?",
                [file.stat().st_size, checksum(file), path],
            )


_STEPS: Final = (_checksums_of_lake_files,)
