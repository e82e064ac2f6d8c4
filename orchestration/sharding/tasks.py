"""What Spark's tasks do, each with DuckDB in its own process: values that Spark sends to where the rows are."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import duckdb
import pyarrow as pa  # type: ignore[import-untyped]

from fairsplit.orchestration.landing.lake import lake_scan
from fairsplit.orchestration.landing.sql import EVENT_COLUMNS, EVENT_TYPES, identifier
from fairsplit.orchestration.project import DBT_PROJECT_DIR, Home
from fairsplit.orchestration.sharding.combining import combine
from fairsplit.orchestration.sharding.routing import Routing, earliest_links, link_events
from fairsplit.orchestration.sharding.shard import Shard, build_shard
from fairsplit.orchestration.warehouse.dbt import run_dbt

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import date

    from fairsplit.orchestration.sharding.models import ShardedModels
    from fairsplit.orchestration.sharding.storage import Storage, Stored

_SPARK_TYPES: Final = {"timestamp": "timestamp_ntz"}
EVENTS: Final = ", ".join(
    f"{name} {_SPARK_TYPES.get(kind, kind)}"
    for name, kind in ((name, EVENT_TYPES.get(name, "string")) for name in EVENT_COLUMNS)
)
LINKS: Final = "anonymous_id string, user_id string, occurred_at timestamp_ntz, event_id string"
ROUTED: Final = f"shard int, {EVENTS}, linked_user_id string, linked_at timestamp_ntz, linked_event_id string"
TOLD: Final = "shard int, events bigint, name string, sha256 string"
_ROWS_A_BATCH: Final = 65_536


@dataclass(frozen=True, slots=True)
class ReadLake:
    """Lake files to the rows that they hold, with those that are no events."""

    def __call__(self, paths: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Batches of `path` to batches of `EVENTS`."""
        columns = ", ".join(map(identifier, EVENT_COLUMNS))
        with _connected() as connection:
            for batch in paths:
                for path in batch.column("path").to_pylist():
                    rows = connection.sql(f"select {columns} from {lake_scan([path])}")
                    yield from rows.to_arrow_reader(_ROWS_A_BATCH)


@dataclass(frozen=True, slots=True)
class FindLinks:
    """The earliest link of each anonymous id among some events, by the filters of the project."""

    seed: Any
    to: date

    def __call__(self, events: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Batches of `EVENTS` to batches of `LINKS`."""
        with tempfile.TemporaryDirectory() as folder:
            # dbt's views name the database: that of the home's file.
            warehouse = Path(folder) / "warehouse.duckdb"
            warehouse.write_bytes(self.seed.value)
            with duckdb.connect(str(warehouse)) as connection:
                connection.execute("drop view landing.raw_events")
                for batch in events:
                    connection.register("batch", pa.Table.from_batches([batch]))
                    connection.execute("create or replace table landing.raw_events as from batch")
                    found = connection.sql(earliest_links(link_events(self.to)))
                    yield from found.to_arrow_reader(_ROWS_A_BATCH)


@dataclass(frozen=True, slots=True)
class EarliestLinks:
    """The earliest of links of which all that are of one id are in one partition."""

    def __call__(self, links: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Batches of `LINKS` to batches of `LINKS`, one row an anonymous id."""
        with _collected(links) as (connection, rows):
            if rows:
                found = connection.sql(earliest_links("from collected"))
                yield from found.to_arrow_reader(_ROWS_A_BATCH)


@dataclass(frozen=True, slots=True)
class Route:
    """Events to the shards that they belong to."""

    routing: Routing

    def __call__(self, linked: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Batches of events with their links to batches of `ROUTED`."""
        with _connected() as connection:
            for batch in linked:
                connection.register("batch", pa.Table.from_batches([batch]))
                yield from connection.sql(self.routing.select("batch")).to_arrow_reader(_ROWS_A_BATCH)


@dataclass(frozen=True, slots=True)
class BuildShard:
    """One shard's events to what the shard tells, left on the storage."""

    seed: Any
    routing: Routing
    to: date
    models: ShardedModels
    storage: Storage

    def __call__(self, events: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Batches of `ROUTED` of one shard to one row of `TOLD`; none for a shard without events."""
        with tempfile.TemporaryDirectory() as folder, _collected(events, Path(folder)) as (connection, rows):
            if not rows:
                return
            [(number,)] = connection.execute("select distinct shard from collected").fetchall()
            seed = Path(folder) / "seed.duckdb"
            seed.write_bytes(self.seed.value)
            shard = Shard(number, self.routing.unit_type(number), self.to, seed, self.models)
            stored = self.storage.put(
                build_shard(shard, connection, "collected", Path(folder) / "home", dbt_of_the_package)
            )
            yield pa.RecordBatch.from_pylist(
                [{"shard": number, "events": rows, "name": stored.name, "sha256": stored.sha256}],
                schema=pa.schema(
                    {"shard": pa.int32(), "events": pa.int64(), "name": pa.string(), "sha256": pa.string()}
                ),
            )


@dataclass(frozen=True, slots=True)
class Combine:
    """What several shards told to one file of the same tables."""

    models: ShardedModels
    storage: Storage

    def __call__(self, told: Iterable[Stored]) -> Iterator[Stored]:
        """Files on the storage to one file there; none of none."""
        with tempfile.TemporaryDirectory() as folder:
            parts = [self.storage.get(one, Path(folder)) for one in told]
            if parts:
                combined = Path(folder) / "combined.duckdb"
                combine(parts, self.models, combined)
                yield self.storage.put(combined)


def dbt_of_the_package(home: Home, arguments: tuple[str, ...]) -> None:
    """Run dbt on a shard's home by the project as it was installed: metrics come from the catalogue's tables."""
    target = ("--target-path", str(home.dbt_target), "--no-write-json")
    run_dbt(home, "dbt cannot build a shard", *arguments, *target, project=DBT_PROJECT_DIR)


@contextmanager
def _connected() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute("set timezone = 'UTC'")
        yield connection


@contextmanager
def _collected(
    batches: Iterable[pa.RecordBatch], folder: Path | None = None
) -> Iterator[tuple[duckdb.DuckDBPyConnection, int]]:
    """All rows of a partition as the table `collected`, on disk where a folder is given; and how many they are."""
    path = ":memory:" if folder is None else str(folder / "collected.duckdb")
    with duckdb.connect(path, config={"threads": 1}) as connection:
        connection.execute("set timezone = 'UTC'")
        rows = 0
        for batch in batches:
            connection.register("batch", pa.Table.from_batches([batch]))
            verb = "insert into collected by name" if rows else "create table collected as"
            if batch.num_rows:
                connection.execute(f"{verb} from batch")
            rows += batch.num_rows
        yield connection, rows
