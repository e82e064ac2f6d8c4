"""The lake's files and the views over them: a file that `landing.lake_files` does not list does not exist."""

from __future__ import annotations

import os
import shutil
from importlib.resources import files
from typing import TYPE_CHECKING

from fairsplit.analysis.errors import Problem
from fairsplit.orchestration.errors import IngestError
from fairsplit.orchestration.home.schema import mark, version_of
from fairsplit.orchestration.landing.erasure_journal import restore_erasures
from fairsplit.orchestration.landing.sql import EVENT_COLUMNS, EVENT_TYPES, array, identifier

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import duckdb

STAGING = ".staging"
#: In the lake: the files that the change under way brings or takes away.
INTENT = ".changing"
#: In the home: lake files that the warehouse does not know, and that no killed change explains.
STRAYS = "strays"


def open_landing(connection: duckdb.DuckDBPyConnection, home: Path) -> None:
    """Create the landing schema, remove what a killed change left, and point the views at this home.

    Args:
        connection: A writer on the warehouse.
        home: The home folder; may have been moved since the last time.

    Raises:
        IngestError: The lake is another warehouse's.
    """
    with connection.cursor() as cursor:
        if version_of(cursor) is None:
            mark(cursor)
        cursor.execute((files("fairsplit.orchestration.landing") / "landing.sql").read_text())
        root = str(home.resolve())
        if cursor.execute("select root from landing.home").fetchall() != [(root,)]:
            cursor.execute("begin")
            cursor.execute("delete from landing.home")
            cursor.execute("insert into landing.home values (?)", [root])
            replace_views(cursor)
            cursor.execute("commit")
        restore_erasures(cursor, home)
        listed = {path for (path,) in cursor.execute("select path from landing.lake_files").fetchall()}
    _clear_strays(home, listed)


def intend(home: Path, paths: Iterable[str]) -> None:
    """Write down, durably, which lake files (relative to the home) a change is about to bring or to take away.

    Of these, what the warehouse does not list after a kill is nobody's; any other stray file is somebody's events.
    """
    with (home / "lake" / INTENT).open("a", encoding="utf-8") as file:
        file.writelines(f"{path}\n" for path in paths)
        file.flush()
        os.fsync(file.fileno())


def carried_out(home: Path) -> None:
    """The change that was written down by `intend` is committed: what it left stray is gone."""
    (home / "lake" / INTENT).unlink(missing_ok=True)


def _clear_strays(home: Path, listed: set[str]) -> None:
    """Remove what a killed change left; move other files that the warehouse does not know to `strays/`.

    Raises:
        IngestError: The warehouse knows no lake file, and the lake is full: it is not this lake's warehouse.
    """
    lake = home / "lake"
    shutil.rmtree(lake / STAGING, ignore_errors=True)
    if not lake.is_dir():
        return
    note = lake / INTENT
    intended = set(note.read_text(encoding="utf-8").splitlines()) if note.exists() else set()
    stray = []
    for path in sorted(lake.glob("*/*")):
        relative = path.relative_to(home).as_posix()
        if relative in intended and relative not in listed:
            path.unlink()
        elif relative not in listed:
            stray.append(path)
    if stray and not listed:
        raise IngestError(
            Problem(
                "the lake holds files that this warehouse does not know",
                where=str(lake),
                value=f"{len(stray)} files",
                rule="a warehouse and its lake belong together",
                hint="restore `warehouse.duckdb`, or move `lake/` away and land its events again",
            )
        )
    for path in stray:
        aside = home / STRAYS / path.relative_to(lake)
        aside.parent.mkdir(parents=True, exist_ok=True)
        path.replace(aside)
    note.unlink(missing_ok=True)


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
