"""Landed files to lake files: parse, judge, reduce to one row a key, and move durably into place."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from orchestration.ingest import delimited, layouts, lines
from orchestration.ingest.content import unpacked
from orchestration.ingest.lake import STAGING
from orchestration.ingest.mapping import events_of
from orchestration.ingest.rows import NO_EVENT, lake_rows
from orchestration.ingest.tables import ROW_MARK
from orchestration.ingest.sql import array, literal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime, timedelta

    import duckdb

    from analysis.catalogue.sources import Source
    from orchestration.ingest.content import Content
    from orchestration.ingest.layouts import Layout
    from orchestration.ingest.scan import Landed

REJECTED_DAY = "event_day=__HIVE_DEFAULT_PARTITION__"


@dataclass(frozen=True, slots=True)
class Incoming:
    """A file about to be taken.

    Attributes:
        landed: Where it lies.
        content: What it holds.
        arrived_at: Its recorded arrival, naive UTC.
        source: Its mapping; none where the file follows the contract.
    """

    landed: Landed
    content: Content
    arrived_at: datetime
    source: Source | None


@dataclass(frozen=True, slots=True)
class LakeFile:
    """A file in the lake: day, content hash, path relative to the home, rows."""

    event_day: date
    file_hash: str
    path: str
    rows: int


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows of one landed file.

    Attributes:
        read: Events read, whatever became of them.
        quarantined: Of these, rejected.
        repeated: Of the valid ones, left out because the file holds their key more than once.
        differing: Of these, unlike the copy that was kept.
        without_event: Source rows for which no declared event applies; not among those read.
    """

    read: int = 0
    quarantined: int = 0
    repeated: int = 0
    differing: int = 0
    without_event: int = 0


def layout_of(cursor: duckdb.DuckDBPyConnection, incoming: Incoming) -> Layout:
    """How the file's cells are read.

    Raises:
        duckdb.Error: A Parquet file that is none.
    """
    if incoming.content.format == "ndjson":
        return layouts.JsonLines()
    if incoming.content.format == "csv":
        return layouts.Delimited(delimited.header_of(incoming.content.head, _delimiter(incoming))[0])
    described = cursor.execute(f"describe from {_parquet(incoming)}").fetchall()
    return layouts.Table({row[0]: row[1] for row in described if row[0] != ROW_MARK})


def _parquet(incoming: Incoming) -> str:
    """A table function over a landed Parquet file, whose name may hold glob characters."""
    name = re.sub(r"([\[*?])", r"[\1]", str(incoming.landed.file))
    return f"read_parquet({literal(name)}, hive_partitioning = false)"


def _delimiter(incoming: Incoming) -> str | None:
    return incoming.source.delimiter if incoming.source else None


def stage(
    cursor: duckdb.DuckDBPyConnection,
    home: Path,
    batch: list[Incoming],
    layout: Layout,
    *,
    first_day: date,
    max_clock_skew: timedelta,
) -> Path:
    """Write the rows of files of one layout as Parquet by day and file below the lake's staging folder.

    Returns:
        The folder; rejected rows lie under `REJECTED_DAY` (see `lake_rows`).

    Raises:
        duckdb.Error: A file cannot be read to its end.
        OSError, EOFError: Likewise.
    """
    staging = home / "lake" / STAGING
    shutil.rmtree(staging, ignore_errors=True)
    (staging / "in").mkdir(parents=True)
    target = staging / "out"
    target.mkdir()
    hashes = pa.table(
        {
            "file_index": pa.array(range(len(batch)), pa.int32()),
            "file_hash": [one.content.file_hash for one in batch],
            "arrived_at": pa.array([one.arrived_at for one in batch], pa.timestamp("us")),
        }
    )
    cursor.register("incoming", hashes)
    source = batch[0].source
    relation = _relation(cursor, staging / "in", batch, layout)
    select = lake_rows(
        layout,
        events_of(layout, source),
        relation,
        first_day=first_day,
        max_clock_skew=max_clock_skew,
        timezone=source.timezone if source else None,
    )
    cursor.execute(
        f"""copy ({select}) to {literal(str(target))}
            (format parquet, partition_by (event_day, file_hash), write_partition_columns, overwrite_or_ignore)"""
    )
    return target


def _relation(cursor: duckdb.DuckDBPyConnection, folder: Path, batch: list[Incoming], layout: Layout) -> str:
    if isinstance(layout, layouts.Table):
        paths = [str(_plain_parquet(folder, index, one)) for index, one in enumerate(batch)]
        number = r"regexp_extract(filename, '(\d+)\.parquet$', 1)::integer"
        return f"""(select * exclude (filename, file_row_number), {number} as file_index,
            file_row_number + 1 as line_number
            from read_parquet({array(paths)}, filename = true, file_row_number = true, hive_partitioning = false))"""
    width = len(layout.names() or [])
    schema = lines.SCHEMA if isinstance(layout, layouts.JsonLines) else delimited.schema(width)
    cursor.register("landed_rows", pa.RecordBatchReader.from_batches(schema, _batches(batch, width)))
    return "landed_rows"


def _batches(batch: list[Incoming], width: int) -> Iterator[pa.RecordBatch]:
    for index, one in enumerate(batch):
        with unpacked(one.landed.file, one.content.packing) as stream:
            if one.content.format == "ndjson":
                yield from lines.line_batches(stream, index)
            else:
                mark = delimited.header_of(one.content.head, _delimiter(one))[1]
                yield from delimited.row_batches(stream, index, width, mark)


def _plain_parquet(folder: Path, index: int, one: Incoming) -> Path:
    """A name without glob characters; unpacked where the file is compressed as a whole."""
    plain = folder / f"{index}.parquet"
    if not one.content.packing:
        plain.symlink_to(one.landed.file.resolve())
        return plain
    with unpacked(one.landed.file, one.content.packing) as stream, plain.open("wb") as target:
        shutil.copyfileobj(stream, target)
    return plain


def damage(cursor: duckdb.DuckDBPyConnection, incoming: Incoming) -> str | None:
    """Why a Parquet file cannot be read to its end; none where it can."""
    try:
        cursor.execute(f"select max(hash(r)) from {_parquet(incoming)} r").fetchall()
    except duckdb.Error as error:
        return str(error)
    return None


def reduce_repeats(cursor: duckdb.DuckDBPyConnection, out: Path) -> None:
    """Leave one row a key in each staged file: the smallest `row_md5`.

    Fills ``temp.repeats(event_day, event_id, file_hash, same, differing)`` with what was left out.
    """
    cursor.execute(
        """create or replace temp table repeats
           (event_day date, event_id varchar, file_hash varchar, same bigint, differing bigint)"""
    )
    for folder in sorted(out.glob("event_day=[0-9]*/file_hash=*")):
        parts = array(str(part) for part in sorted(folder.glob("*.parquet")))
        rows = f"read_parquet({parts}, hive_partitioning = false)"
        cursor.execute(
            f"create or replace temp table twice as select event_id from {rows} group by all having count(*) > 1"
        )
        if not cursor.execute("select count(*) from twice").fetchall()[0][0]:
            continue
        cursor.execute(
            f"""insert into repeats
                select any_value(event_day), event_id, any_value(file_hash),
                    count(*) filter (row_md5 = best) - 1, count(*) filter (row_md5 <> best)
                from (select *, min(row_md5) over (partition by event_id) as best from {rows} semi join twice using (event_id))
                group by event_id"""
        )
        whole = folder.with_suffix(".whole")
        cursor.execute(
            f"""copy (
                    from {rows} anti join twice using (event_id)
                    union all
                    from {rows} semi join twice using (event_id)
                    qualify row_number() over (partition by event_id order by row_md5) = 1
                ) to {literal(str(whole))} (format parquet)"""
        )
        shutil.rmtree(folder)
        folder.mkdir()
        whole.rename(folder / "data.parquet")


def count_rows(cursor: duckdb.DuckDBPyConnection, out: Path) -> dict[str, Counts]:
    """Content hash → counts of the staged rows, after `reduce_repeats`."""
    kept: dict[str, int] = {}
    parts = array(str(part) for part in out.glob("event_day=[0-9]*/file_hash=*/*.parquet"))
    if parts != "[]":
        for name, rows in cursor.execute(
            f"select file_name, num_rows from parquet_file_metadata({parts})"
        ).fetchall():
            file_hash = Path(name).parent.name.removeprefix("file_hash=")
            kept[file_hash] = kept.get(file_hash, 0) + rows
    rejected = rejected_rows(out)
    refused = dict[str, tuple[int, int]]()
    if rejected:
        grouped = cursor.execute(
            f"""select file_hash, count(*) filter (reason <> '{NO_EVENT}'), count(*) filter (reason = '{NO_EVENT}')
                from ({rejected}) group by all"""
        )
        refused = {file_hash: (bad, idle) for file_hash, bad, idle in grouped.fetchall()}
    again = cursor.execute(
        "select file_hash, sum(same)::bigint, sum(differing)::bigint from repeats group by all"
    )
    repeated = {file_hash: (same, differing) for file_hash, same, differing in again.fetchall()}
    counts = {}
    for file_hash in kept.keys() | refused.keys():
        bad, idle = refused.get(file_hash, (0, 0))
        same, differing = repeated.get(file_hash, (0, 0))
        read = kept.get(file_hash, 0) + bad + same + differing
        counts[file_hash] = Counts(read, bad, same + differing, differing, idle)
    return counts


def move_to_lake(cursor: duckdb.DuckDBPyConnection, home: Path, out: Path) -> list[LakeFile]:
    """Put the staged files where the lake has them, durably; they count once the transaction lists them."""
    moved = []
    for part in sorted(out.glob("event_day=[0-9]*/file_hash=*/*.parquet")):
        day, file_hash = part.parent.parent.name, part.parent.name.removeprefix("file_hash=")
        number = sum(one.file_hash == file_hash and f"/{day}/" in one.path for one in moved)
        relative = f"lake/{day}/{file_hash[:16]}{f'-{number + 1}' if number else ''}.parquet"
        rows = cursor.execute(f"select num_rows from parquet_file_metadata({literal(str(part))})").fetchall()[
            0
        ][0]
        target = home / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        _sync(part)
        part.replace(target)
        _sync(target.parent)
        moved.append(LakeFile(date.fromisoformat(day.removeprefix("event_day=")), file_hash, relative, rows))
    _sync(home / "lake")
    return moved


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def rejected_rows(out: Path) -> str | None:
    """A SELECT of quarantine rows from the staged files; none where all rows were accepted."""
    parts = sorted(str(part) for part in (out / REJECTED_DAY).glob("file_hash=*/*.parquet"))
    if not parts:
        return None
    return f"""select file_hash, session_id::bigint as line_number, event_id as reason, url as detail,
        properties as raw_line from read_parquet({array(parts)}, hive_partitioning = false)"""
