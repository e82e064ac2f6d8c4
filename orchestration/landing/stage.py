"""Landed files to staged Parquet by day and file: parsed and judged, not yet part of the lake."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa  # type: ignore[import-untyped]

from fairsplit.orchestration.landing import delimited, lines
from fairsplit.orchestration.landing.content import READ_ERRORS, unpacked
from fairsplit.orchestration.landing.lake import STAGING
from fairsplit.orchestration.landing.layout_csv import Delimited
from fairsplit.orchestration.landing.layout_json import JsonLines
from fairsplit.orchestration.landing.layout_table import Table
from fairsplit.orchestration.landing.limits import MAX_COLUMNS
from fairsplit.orchestration.landing.mapping import events_of
from fairsplit.orchestration.landing.rows import lake_rows
from fairsplit.orchestration.landing.sql import array, literal
from fairsplit.orchestration.landing.tables import ROW_MARK
from fairsplit.orchestration.landing.wide_decimals import is_wide, wide_decimals, write_as_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from fairsplit.analysis.catalogue.sources import Source
    from fairsplit.orchestration.landing.cells import Layout
    from fairsplit.orchestration.landing.content import Content
    from fairsplit.orchestration.landing.scan import Landed
    from fairsplit.orchestration.landing.settings import IngestSettings

_ROW_NUMBER = "file_row_number"
STAGE_ERRORS = (*READ_ERRORS, duckdb.Error, pa.ArrowException, MemoryError)
"""What staging a file may raise: of a fault of its own, or of the disk that it is staged on."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """A file about to be taken.

    Attributes:
        landed: Where it lies.
        content: What it holds.
        arrived_at: Its recorded arrival, naive UTC.
        source: Its mapping; none where the file follows the contract.
        first_position: In the manifest, where it was taken before: days that were sealed since are open to it.
    """

    landed: Landed
    content: Content
    arrived_at: datetime
    source: Source | None
    first_position: int | None = None


def layout_of(cursor: duckdb.DuckDBPyConnection, incoming: Incoming) -> Layout:
    """How the file's cells are read.

    Raises:
        duckdb.Error: A Parquet file that is none.
        OSError: What the file is or what stands in its header is not read.
    """
    incoming.content.refuse_what_is_not_read()
    if incoming.content.format == "ndjson":
        return JsonLines()
    if incoming.content.format == "csv":
        return Delimited(delimited.header_of(incoming.content.head, _delimiter(incoming))[0])
    described = cursor.execute(f"describe from {_parquet(incoming)}").fetchall()
    types = {row[0]: row[1] for row in described if row[0] != ROW_MARK}
    _refuse_repeated_columns(cursor, incoming)
    if len(types) > MAX_COLUMNS:
        raise OSError(f"{len(types):,} columns, at most {MAX_COLUMNS:,} are read")
    if _ROW_NUMBER in types:
        raise OSError(f"a column named {_ROW_NUMBER} hides the rows' numbers; give it another name")
    return Table(types | wide_decimals(cursor, incoming.landed.file, literal(_path(incoming))))


def header_of(incoming: Incoming) -> tuple[list[str], str] | None:
    """The column names and the delimiter of a delimited file; none of another format."""
    if incoming.content.format != "csv":
        return None
    return delimited.header_of(incoming.content.head, _delimiter(incoming))


def _refuse_repeated_columns(cursor: duckdb.DuckDBPyConnection, incoming: Incoming) -> None:
    """DuckDB gives the second of two columns another name, and ignores case."""
    names = cursor.execute(
        f"select name, num_children from parquet_schema({literal(_path(incoming))})"
    ).fetchall()
    # The schema is a tree written out depth first: a node stands before its children.
    open_nodes: list[tuple[set[str], int]] = [(set(), 1)]
    for name, children in names:
        seen, left = open_nodes.pop()
        if name.lower() in seen:
            raise OSError(f"the column name {name!r} stands twice (case does not count); give each its own")
        seen.add(name.lower())
        if left > 1:
            open_nodes.append((seen, left - 1))
        if children:
            open_nodes.append((set(), children))


def _path(incoming: Incoming) -> str:
    """The file's path for DuckDB, where its name may hold glob characters."""
    return re.sub(r"([\[*?])", r"[\1]", str(incoming.landed.file))


def _parquet(incoming: Incoming) -> str:
    return f"read_parquet({literal(_path(incoming))}, hive_partitioning = false)"


def _delimiter(incoming: Incoming) -> str | None:
    return incoming.source.delimiter if incoming.source else None


def stage(
    cursor: duckdb.DuckDBPyConnection,
    home: Path,
    batch: list[Incoming],
    layout: Layout,
    settings: IngestSettings,
) -> Path:
    """Write the rows of files of one layout as Parquet by day and file below the lake's staging folder.

    Returns:
        The folder; rejected rows lie under `REJECTED_DAY` (see `lake_rows`).

    Raises:
        duckdb.Error: A file cannot be read to its end.
        OSError, EOFError: Likewise.
    """
    select = _select(cursor, home, batch, layout, settings)
    target = home / "lake" / STAGING / "out"
    target.mkdir()
    cursor.execute(
        f"""copy ({select}) to {literal(str(target))}
            (format parquet, compression uncompressed, partition_by (event_day, file_hash), write_partition_columns,
            overwrite_or_ignore)"""
    )
    return target


def fault(
    cursor: duckdb.DuckDBPyConnection,
    home: Path,
    incoming: Incoming,
    layout: Layout,
    settings: IngestSettings,
) -> str | None:
    """Why a file cannot be staged, told by reading it alone and writing nothing; none where it can."""
    try:
        select = _select(cursor, home, [incoming], layout, settings)
        cursor.execute(f"select max(hash(r)) from ({select}) r").fetchall()
    except STAGE_ERRORS as error:
        return words_of(error)
    return None


def words_of(error: BaseException) -> str:
    """What an error says, without the statement that DuckDB quotes below it."""
    return str(error).split("\n\nLINE ", maxsplit=1)[0] or type(error).__name__


def _select(
    cursor: duckdb.DuckDBPyConnection,
    home: Path,
    batch: list[Incoming],
    layout: Layout,
    settings: IngestSettings,
) -> str:
    """The SELECT of lake rows and rejected rows, over an empty staging folder."""
    staging = home / "lake" / STAGING
    shutil.rmtree(staging, ignore_errors=True)
    (staging / "in").mkdir(parents=True)
    hashes = pa.table(
        {
            "file_index": pa.array(range(len(batch)), pa.int32()),
            "file_hash": [one.content.file_hash for one in batch],
            "arrived_at": pa.array([one.arrived_at for one in batch], pa.timestamp("us")),
            "first_position": pa.array([one.first_position for one in batch], pa.int64()),
        }
    )
    cursor.register("incoming", hashes)
    source = batch[0].source
    relation = _relation(cursor, staging / "in", batch, layout)
    timezone = source.timezone if source else None
    return lake_rows(layout, events_of(layout, source), relation, settings, timezone)


def _relation(cursor: duckdb.DuckDBPyConnection, folder: Path, batch: list[Incoming], layout: Layout) -> str:
    if isinstance(layout, Table):
        wide = [name for name, type_ in layout.types.items() if is_wide(type_)]
        paths = [str(_plain_parquet(folder, index, one, wide)) for index, one in enumerate(batch)]
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


def _plain_parquet(folder: Path, index: int, one: Incoming, wide: list[str]) -> Path:
    """A name without glob characters, and no decimals that DuckDB would round."""
    plain = folder / f"{index}.parquet"
    if wide:
        write_as_text(one.landed.file, wide, plain)
        return plain
    plain.symlink_to(one.landed.file.resolve())
    return plain
