"""The lake's files and the views over them: a file that `landing.lake_files` does not list does not exist."""

from __future__ import annotations

import os
import shutil
from importlib.resources import files
from typing import TYPE_CHECKING

from orchestration.ingest.sql import EVENT_COLUMNS, EVENT_TYPES, array, identifier

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb

STAGING = ".staging"


def open_landing(connection: duckdb.DuckDBPyConnection, home: Path) -> None:
    """Create the landing schema, remove what a killed ingest left, and point the views at this home.

    Args:
        connection: A writer on the warehouse.
        home: The home folder; may have been moved since the last time.
    """
    with connection.cursor() as cursor:
        cursor.execute((files("orchestration.ingest") / "landing.sql").read_text())
        root = str(home.resolve())
        if cursor.execute("select root from landing.home").fetchall() != [(root,)]:
            cursor.execute("begin")
            cursor.execute("delete from landing.home")
            cursor.execute("insert into landing.home values (?)", [root])
            replace_views(cursor)
            cursor.execute("commit")
        listed = {path for (path,) in cursor.execute("select path from landing.lake_files").fetchall()}
    _remove_orphans(home, listed)


def _remove_orphans(home: Path, listed: set[str]) -> None:
    lake = home / "lake"
    shutil.rmtree(lake / STAGING, ignore_errors=True)
    if not lake.is_dir():
        return
    for day in os.scandir(lake):
        if day.is_dir():
            for file in os.scandir(day.path):
                if f"lake/{day.name}/{file.name}" not in listed:
                    os.unlink(file.path)  # noqa: PTH108


def replace_views(cursor: duckdb.DuckDBPyConnection) -> None:
    """Write the views anew from the lists of lake files; part of the caller's transaction.

    DuckDB's `read_parquet` takes only literal paths, so the views hold them, absolute. Files without excluded rows
    are read without an anti-join. Days are pruned by the folder names.
    """
    root = cursor.execute("select root from landing.home").fetchall()[0][0]
    listed = cursor.execute(
        """select path, exists (
               select 1 from landing.excluded x where x.event_day = f.event_day and x.file_hash = f.file_hash)
           from landing.lake_files f order by path"""
    ).fetchall()
    clean = [f"{root}/{path}" for path, dirty in listed if not dirty]
    dirty = [f"{root}/{path}" for path, dirty in listed if dirty]
    columns = ", ".join(map(identifier, EVENT_COLUMNS))
    parts = []
    if clean:
        parts.append(f"select {columns} from {lake_scan(clean)}")
    if dirty:
        losers = "anti join landing.excluded x using (event_day, event_id, file_hash)"
        parts.append(f"select {columns} from {lake_scan(dirty)} e {losers}")
    if not parts:
        typed = ", ".join(
            f"null::{EVENT_TYPES.get(name, 'varchar')} as {identifier(name)}" for name in EVENT_COLUMNS
        )
        parts.append(f"select {typed} where false")
    cursor.execute(f"create or replace view landing.raw_events as {' union all '.join(parts)}")
    cursor.execute(
        """create or replace macro landing.events_between(day_from, day_to) as table
           select * from landing.raw_events where event_day between day_from and day_to"""
    )


def lake_scan(paths: list[str]) -> str:
    """A table function over lake files (absolute paths), with days told by folder names."""
    # Brackets and the like in the home's own path must not act as a glob.
    escaped = [path.replace("[", "[[]").replace("*", "[*]").replace("?", "[?]") for path in paths]
    return f"read_parquet({array(escaped)}, hive_partitioning = true, hive_types = {{'event_day': date}})"
