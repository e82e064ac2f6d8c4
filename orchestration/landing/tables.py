"""Sources that are tables: rows that are new since the last time are landed as a Parquet file like any other.

The landed files are the record: what they hold is not taken again, and a rebuild from the landing folder needs no
table. A row is its content: a changed row is a new row, and which of its events counts is decided by event id.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import duckdb

from fairsplit.orchestration.landing.content import identify
from fairsplit.orchestration.landing.databases import Newer, NotReadError, rows_of
from fairsplit.orchestration.landing.scan import EPOCH
from fairsplit.orchestration.landing.sql import array, identifier, literal

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from fairsplit.analysis.catalogue.sources import Source, Watermark

ROW_MARK = "_fairsplit_row"
"""Column of landed table files: md5 of the row as JSON."""


def land_tables(
    cursor: duckdb.DuckDBPyConnection, landing: Path, sources: Sequence[Source], now: datetime
) -> dict[str, str]:
    """Land the new rows of every source that is a table.

    Args:
        cursor: Reader on the warehouse.
        landing: The landing folder.
        sources: Those of files are passed over.
        now: Naive UTC; the arrival of what is landed.

    Returns:
        Source → why it gives nothing; the others are landed nevertheless.
    """
    faults = {}
    for source in sources:
        if source.table is not None and source.landed_below:
            try:
                if not _land(cursor, landing / source.landed_below, source, now):
                    faults[source.id] = "the table is empty"
            except (duckdb.Error, NotReadError, OSError) as error:
                faults[source.id] = str(error).split("\n\nLINE ", maxsplit=1)[0]
    return faults


def _land(cursor: duckdb.DuckDBPyConnection, folder: Path, source: Source, now: datetime) -> bool:
    """Land the new rows; whether the table has any row, new or not."""
    taken = sorted(str(path) for path in folder.glob("*.parquet"))
    landed = f"read_parquet({array(taken)}, union_by_name = true)"
    newer = _newer(cursor, landed, source.watermark) if taken and source.watermark else None
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = folder / ".new.tmp"
    with rows_of(cursor, source.from_, source.table or "", newer) as rows:
        marked = f"select t.*, md5(to_json(t)::varchar) as {ROW_MARK} from {rows} t"
        if taken:
            marked += f" where {ROW_MARK} not in (select {ROW_MARK} from {landed})"
        cursor.execute(f"copy ({marked} order by {ROW_MARK}) to {literal(str(unfinished))} (format parquet)")
    count = cursor.execute(
        f"select num_rows from parquet_file_metadata({literal(str(unfinished))})"
    ).fetchall()[0][0]
    if not count:
        unfinished.unlink()
        return bool(taken) if source.from_ else _has_rows(cursor, source)
    seconds = (now - EPOCH).total_seconds()
    os.utime(unfinished, (seconds, seconds))
    with unfinished.open("rb") as file:
        os.fsync(file.fileno())
    unfinished.replace(folder / f"{identify(unfinished).file_hash[:16]}.parquet")
    return True


def _newer(cursor: duckdb.DuckDBPyConnection, landed: str, watermark: Watermark) -> Newer | None:
    """Rows that were not taken yet, or may have been written since."""
    column = identifier(watermark.column)
    kind, newest = cursor.execute(
        f"select typeof(max({column})), max({column})::varchar from {landed}"
    ).fetchall()[0]
    if newest is None:
        return None
    if watermark.look_back:
        # Where a database has no times, as SQLite, text of ISO 8601 stands for them.
        time = "timestamp" if kind == "VARCHAR" else kind
        try:
            query = f"select (cast(? as {time}) - to_seconds(?))::varchar"
            bound = [newest, int(watermark.look_back.total_seconds())]
            newest = cursor.execute(query, bound).fetchall()[0][0]
        except duckdb.Error as error:
            raise NotReadError(f"look_back is for times, and {watermark.column} is {kind.lower()}") from error
    return Newer(watermark.column, newest)


def _has_rows(cursor: duckdb.DuckDBPyConnection, source: Source) -> bool:
    with rows_of(cursor, source.from_, source.table or "", None) as rows:
        return bool(cursor.execute(f"select 1 from {rows} limit 1").fetchall())
