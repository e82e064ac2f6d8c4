"""Lake files that are lost or damaged, written again from the landed files that they came from."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from fairsplit.orchestration.landing import erasing, lake_files, repeated_keys
from fairsplit.orchestration.landing import stage as staging
from fairsplit.orchestration.landing.content import identify
from fairsplit.orchestration.landing.ingest import bounded_memory, source_of
from fairsplit.orchestration.landing.lake import STAGING, carried_out, intend
from fairsplit.orchestration.landing.scan import landed_at
from fairsplit.orchestration.landing.stage import STAGE_ERRORS, Incoming

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import date, datetime
    from pathlib import Path

    import duckdb

    from fairsplit.analysis.catalogue.sources import Source
    from fairsplit.orchestration.landing.content import Content
    from fairsplit.orchestration.landing.scan import Landed
    from fairsplit.orchestration.landing.settings import IngestSettings


def give_again(
    connection: duckdb.DuckDBPyConnection,
    home: Path,
    settings: IngestSettings,
    sources: Sequence[Source],
    file_hash: str,
    days: Collection[date],
) -> str:
    """Write the lake's rows of one content and some days anew; what counts and what is owed does not change.

    Args:
        connection: A writer; the landing schema is of this home.
        home: The home folder.
        settings: By which the content was judged.
        sources: The catalogue's.
        file_hash: The landed content.
        days: Its damaged days.

    Returns:
        Why the landed file cannot give them, or nothing: they are in place.
    """
    found = _landed(connection, home / "landing", file_hash)
    if found is None:
        return "its landed file is gone"
    landed, content, arrived_at, position = found
    source = source_of(sources, landed.path)
    if source is not None and source.format:
        content = content.read_as(source.format)
    incoming = Incoming(landed, content, arrived_at, source, position)
    with connection.cursor() as cursor, bounded_memory(cursor), repeated_keys.in_sql(cursor):
        try:
            layout = staging.layout_of(cursor, incoming)
            out = staging.stage(cursor, home, [incoming], layout, settings)
        except STAGE_ERRORS as error:
            return staging.words_of(error)
        lake_files.put_in_order(cursor, out)
        erasing.strip_staged(cursor, out)
        wanted = {f"event_day={day.isoformat()}" for day in days}
        for folder in out.iterdir():
            if folder.name not in wanted:
                shutil.rmtree(folder)
        reason = _put(cursor, home, out, file_hash, sorted(days))
    shutil.rmtree(home / "lake" / STAGING, ignore_errors=True)
    return reason


def _landed(
    connection: duckdb.DuckDBPyConnection, landing: Path, file_hash: str
) -> tuple[Landed, Content, datetime, int] | None:
    """A landed file that still has the content, with the recorded arrival and the content's first position."""
    rows = connection.execute(
        """select path, arrived_at, min(position) over () from landing.manifest
           where file_hash = ? and status <> 'unreadable' order by status = 'taken' desc, position""",
        [file_hash],
    ).fetchall()
    for path, _, position in rows:
        landed = landed_at(landing, landing / path)
        if landed is None or landed.fault:
            continue
        content = identify(landed.file)
        if content.file_hash == file_hash:
            return landed, content, rows[0][1], position
    return None


def _put(
    cursor: duckdb.DuckDBPyConnection, home: Path, out: Path, file_hash: str, days: Sequence[date]
) -> str:
    """Put the staged files where the damaged ones were, if they hold as many rows."""
    key = [file_hash, list(days)]
    where = "file_hash = ? and list_contains(?, event_day)"
    listed = cursor.execute(
        f"select event_day, sum(rows)::bigint from landing.lake_files where {where} group by all order by 1",
        key,
    ).fetchall()
    parts = [str(part) for part in out.glob("event_day=*/file_hash=*/*.parquet")]
    given = cursor.execute(
        """select regexp_extract(file_name, 'event_day=([^/]+)', 1)::date as day, sum(num_rows)::bigint
           from parquet_file_metadata($1) group by all order by 1""",
        [parts],
    ).fetchall()
    if given != listed:
        return "its landed file gives other rows by the present definitions"
    old = [
        path
        for (path,) in cursor.execute(f"select path from landing.lake_files where {where}", key).fetchall()
    ]
    intend(home, old)
    for path in old:
        (home / path).unlink(missing_ok=True)
    moved = lake_files.move_to_lake(cursor, home, out)
    cursor.execute("begin")
    cursor.execute(f"delete from landing.lake_files where {where}", key)
    lake_files.list_files(cursor, moved)
    if sorted(one.path for one in moved) != sorted(old):
        # The next ingest writes the views anew: here other files may be missing still, and no view could name them.
        cursor.execute("delete from landing.home")
    cursor.execute("commit")
    carried_out(home)
    return ""
