"""One shard: a home with the events of some units, built by the same dbt project; and what leaves it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb

from fairsplit.orchestration.landing.lake import open_landing
from fairsplit.orchestration.landing.sql import EVENT_COLUMNS, identifier, literal
from fairsplit.orchestration.project import Home
from fairsplit.orchestration.warehouse.dbt import ask_for
from fairsplit.orchestration.warehouse.opening import writer

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date
    from pathlib import Path

    import pyarrow as pa  # type: ignore[import-untyped]

    from fairsplit.orchestration.sharding.models import ShardedModels


@dataclass(frozen=True, slots=True)
class Shard:
    """What a shard is built from beside its events.

    Attributes:
        number: Of all shards, from 0.
        unit_type: The kind of unit whose events it holds.
        to: The last day to build, included.
        seed: What every shard starts from, as `write_seed` leaves it.
        models: What becomes of each model's rows.
    """

    number: int
    unit_type: str
    to: date
    seed: Path
    models: ShardedModels


def write_seed(connection: duckdb.DuckDBPyConnection, seed: Path, magnitudes: pa.Table | None) -> None:
    """Write the warehouse that every shard starts from: definitions, and what all shards have to know.

    Args:
        connection: On the warehouse of the home that the shards are of; dbt has run there.
        seed: The file; must not exist, and be called as the warehouse is: views name their database.
        magnitudes: As `finish` returned them, for shards that are built again.
    """
    copied = connection.execute(
        """select schema_name, table_name from duckdb_tables()
           where database_name = current_database()
               and (schema_name = 'catalog' or (schema_name, table_name) in (
                   ('journal', 'pruned'), ('work', 'magnitudes_of_all_shards'), ('work', 'links_of_all_shards')))
           order by all"""
    ).fetchall()
    connection.execute(f"attach {literal(str(seed))} as seed")
    for schema, table in copied:
        name = f"{identifier(schema)}.{identifier(table)}"
        connection.execute(f"create schema if not exists seed.{identifier(schema)}")
        connection.execute(f"create table seed.{name} as from {name}")
    connection.execute("detach seed")
    views = connection.execute(
        """select sql from duckdb_views() where database_name = current_database()
               and view_name in ('base_events', 'stg_events') order by view_name"""
    ).fetchall()
    with duckdb.connect(str(seed)) as own:
        open_landing(own, seed.parent)
        for (sql,) in views:
            own.execute(sql)
        if magnitudes is not None:
            own.register("magnitudes", magnitudes)
            own.execute("insert into work.magnitudes_of_all_shards by name from magnitudes")


def build_shard(
    shard: Shard, events: duckdb.DuckDBPyConnection, relation: str, root: Path, dbt: Callable[..., None]
) -> Path:
    """Build a shard's tables.

    Args:
        shard: Which one.
        events: The connection on which its events are.
        relation: Of the shard's events there: one row or more, with the columns of `Routing.select`.
        root: An empty folder, which becomes the shard's home.
        dbt: Is given the home and the arguments of a dbt command.

    Returns:
        A DuckDB file with the rows of every model that leave the shard.
    """
    home = Home(root).prepare()
    shutil.copy(shard.seed, home.warehouse)
    days = events.execute(f"select event_day, count(*) from {relation} group by all order by all").fetchall()
    columns = ", ".join(identifier(name) for name in EVENT_COLUMNS if name != "event_day")
    for day, _ in days:
        folder = root / "lake" / f"event_day={day}"
        folder.mkdir(parents=True)
        events.execute(
            f"""copy (select {columns} from {relation} where event_day = date '{day}' order by occurred_at, event_id)
                to {literal(str(folder / "events.parquet"))} (format parquet)"""
        )
    links = events.sql(
        f"""select distinct anonymous_id, linked_user_id as user_id, linked_at as occurred_at,
                linked_event_id as event_id
            from {relation} where linked_user_id is not null"""
    ).to_arrow_table()
    with writer(home.warehouse) as connection:
        for day, rows in days:
            connection.execute(
                "insert into landing.lake_files (event_day, file_hash, path, rows) values (?, '', ?, ?)",
                [day, f"lake/event_day={day}/events.parquet", rows],
            )
        open_landing(connection, root)
        connection.register("links", links)
        connection.execute("insert into work.links_of_all_shards by name from links")
        ask_for(connection, shard.to)
        connection.execute("insert into work.state values ('unit_type', ?)", [shard.unit_type])
    dbt(home, ("build", "--exclude-resource-type", "unit_test", "--exclude", *shard.models.finished))
    return _told(home, shard.models)


def _told(home: Home, models: ShardedModels) -> Path:
    """The rows that leave a shard, as a file of their own: tables where the shard may have views."""
    told = home.root / "told.duckdb"
    with writer(home.warehouse) as connection:
        connection.execute(f"attach {literal(str(told))} as told")
        for model in models.brought:
            connection.execute(f"create table told.{identifier(model)} as from {identifier(model)}")
        connection.execute("detach told")
    return told
