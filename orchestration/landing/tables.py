"""Sources that are tables: rows that are new since the last time are landed as a Parquet file like any other.

The landed files are the record: what they hold is not taken again, and a rebuild from the landing folder needs no
table. A row is its content: a changed row is a new row, and which of its events counts is decided by event id.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import duckdb

from fairsplit.orchestration.landing.content import identify
from fairsplit.orchestration.landing.scan import EPOCH
from fairsplit.orchestration.landing.sql import array, identifier, literal

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from fairsplit.analysis.catalogue.sources import Source

ROW_MARK = "_fairsplit_row"
"""Column of landed table files: md5 of the row as JSON."""


def folder_of(source: Source) -> str:
    """Where a table source's files land, relative to the landing folder."""
    return f"tables/{source.id}/"


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
        Table → why it gives nothing; the other tables are landed nevertheless.
    """
    faults = {}
    for source in sources:
        if source.table is not None:
            try:
                if not _land(cursor, landing / folder_of(source), source.table, now):
                    faults[source.table] = "the table is empty"
            except (duckdb.Error, OSError) as error:
                faults[source.table] = str(error).split("\n\nLINE ", maxsplit=1)[0]
    return faults


def _land(cursor: duckdb.DuckDBPyConnection, folder: Path, table: str, now: datetime) -> bool:
    """Land the new rows; whether the table has any row, new or not."""
    name = ".".join(identifier(part) for part in table.split("."))
    marked = f"select t.*, md5(to_json(t)::varchar) as {ROW_MARK} from {name} t"
    taken = sorted(str(path) for path in folder.glob("*.parquet"))
    if taken:
        landed = f"read_parquet({array(taken)}, union_by_name = true)"
        marked += f" where {ROW_MARK} not in (select {ROW_MARK} from {landed})"
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = folder / ".new.tmp"
    cursor.execute(f"copy ({marked} order by {ROW_MARK}) to {literal(str(unfinished))} (format parquet)")
    rows = cursor.execute(
        f"select num_rows from parquet_file_metadata({literal(str(unfinished))})"
    ).fetchall()[0][0]
    if not rows:
        unfinished.unlink()
        return bool(cursor.execute(f"select 1 from {name} limit 1").fetchall())
    seconds = (now - EPOCH).total_seconds()
    os.utime(unfinished, (seconds, seconds))
    with unfinished.open("rb") as file:
        os.fsync(file.fileno())
    unfinished.replace(folder / f"{identify(unfinished).file_hash[:16]}.parquet")
    return True
