"""A source tried on a table's first rows: what would become of them, in a home that is thrown away."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from fairsplit.orchestration.landing.databases import rows_of
from fairsplit.orchestration.landing.ingest import ingest_landing

if TYPE_CHECKING:
    import polars as pl

    from fairsplit.analysis.catalogue.sources import Database, Source
    from fairsplit.orchestration.landing.settings import IngestSettings

_TABLE = "first_rows"


@dataclass(frozen=True, slots=True)
class Tried:
    """What would become of the rows.

    Attributes:
        rows: How many were tried.
        events: How many events they gave.
        refused: Reason → rows.
        example: The first events, as text by column; columns that are empty are left out.
    """

    rows: int
    events: int
    refused: dict[str, int]
    example: list[dict[str, str]]


def first_rows(database: Database, table: str, limit: int) -> pl.DataFrame:
    """The first rows of a table, in no order.

    Raises:
        NotReadError: It cannot be read.
        duckdb.Error: There is no such table in another DuckDB file.
    """
    with duckdb.connect() as connection, rows_of(connection, database, table, None) as rows:
        frame: pl.DataFrame = connection.sql(f"select * from {rows} limit {limit}").pl()
    return frame


def try_source(source: Source, rows: pl.DataFrame, settings: IngestSettings) -> Tried:
    """Take rows by a source's mapping, as ingest would.

    Args:
        source: Its place does not matter.
        rows: Of its table.
        settings: From the catalogue's project settings.
    """
    here = source.model_copy(update={"table": _TABLE, "from_": None, "watermark": None})
    with tempfile.TemporaryDirectory(prefix="fairsplit-connect-") as folder:
        (Path(folder) / "landing").mkdir()
        with duckdb.connect(str(Path(folder) / "warehouse.duckdb")) as connection:
            connection.register("_rows", rows)
            connection.execute(f"create table {_TABLE} as from _rows")
            ingest_landing(Path(folder), connection, settings, [here], datetime.now(UTC))
            refused = connection.execute(
                "select reason, count(*) from landing.quarantine group by reason order by reason"
            ).fetchall()
            events = connection.sql("from landing.raw_events order by occurred_at, event_id").pl()
    example = [
        {
            name: str(value)
            for name, value in row.items()
            if value is not None and name not in {"row_md5", "file_hash"}
        }
        for row in events.head(3).to_dicts()
    ]
    return Tried(rows.height, events.height, dict(refused), example)
