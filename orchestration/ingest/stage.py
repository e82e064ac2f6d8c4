"""Landed files to staged Parquet by day and file: parsed and judged, not yet part of the lake."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa  # type: ignore[import-untyped]

from orchestration.ingest import delimited, lines
from orchestration.ingest.content import unpacked
from orchestration.ingest.lake import STAGING
from orchestration.ingest.layout_csv import Delimited
from orchestration.ingest.layout_json import JsonLines
from orchestration.ingest.layout_table import Table
from orchestration.ingest.mapping import events_of
from orchestration.ingest.rows import lake_rows
from orchestration.ingest.sql import array, literal
from orchestration.ingest.tables import ROW_MARK

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date, datetime, timedelta
    from pathlib import Path

    from analysis.catalogue.sources import Source
    from orchestration.ingest.cells import Layout
    from orchestration.ingest.content import Content
    from orchestration.ingest.scan import Landed


_ROW_NUMBER = "file_row_number"


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


def layout_of(cursor: duckdb.DuckDBPyConnection, incoming: Incoming) -> Layout:
    """How the file's cells are read.

    Raises:
        duckdb.Error: A Parquet file that is none.
        OSError: A Parquet file with a column that cannot be read.
    """
    if incoming.content.format == "ndjson":
        return JsonLines()
    if incoming.content.format == "csv":
        return Delimited(delimited.header_of(incoming.content.head, _delimiter(incoming))[0])
    described = cursor.execute(f"describe from {_parquet(incoming)}").fetchall()
    types = {row[0]: row[1] for row in described if row[0] != ROW_MARK}
    if _ROW_NUMBER in types:
        raise OSError(f"a column named {_ROW_NUMBER} hides the rows' numbers; give it another name")
    return Table(types)


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
    if isinstance(layout, Table):
        paths = [str(_plain_parquet(folder, index, one)) for index, one in enumerate(batch)]
        number = r"regexp_extract(_fairsplit_file, '(\d+)\.parquet$', 1)::integer"
        return f"""(
            select {layout.columns()}, {number} as file_index, file_row_number + 1 as line_number
            from read_parquet({array(paths)},
                filename = '_fairsplit_file', file_row_number = true, hive_partitioning = false))"""
    width = len(layout.names() or [])
    schema = lines.SCHEMA if isinstance(layout, JsonLines) else delimited.schema(width)
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
