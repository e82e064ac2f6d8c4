"""A driven home whose tables are built in shards, one after the other in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairsplit.orchestration.landing.sql import EVENT_COLUMNS
from fairsplit.orchestration.project import DBT_PROJECT_DIR, Home
from fairsplit.orchestration.sharding.combining import combine
from fairsplit.orchestration.sharding.finishing import finish, prepare
from fairsplit.orchestration.sharding.models import ShardedModels
from fairsplit.orchestration.sharding.routing import (
    LINK_COLUMNS,
    Routing,
    earliest_links,
    link_events,
    linked_events,
)
from fairsplit.orchestration.sharding.shard import Shard, build_shard, write_seed
from fairsplit.orchestration.warehouse.opening import writer
from tests.oracle.dbt_runs import invoke, model_meta

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path


def build_in_shards(home: Home, to: date, shards: int, folder: Path, project: Path = DBT_PROJECT_DIR) -> None:
    """What the cluster does: route, build each shard, add up, finish; again where sums do not fit."""

    def dbt(place: Home, arguments: tuple[str, ...]) -> None:
        # dbt's own tests of each table are those of any home.
        without_tests = ("run", *arguments[3:]) if arguments[0] == "build" else arguments
        invoke(place.root, *without_tests, project=project)

    models = ShardedModels.of(model_meta(project))
    last = prepare(home, to, dbt)
    magnitudes = None
    for attempt in range(2):
        told = _build(home, last, shards, folder / f"attempt-{attempt}", models, dbt, magnitudes)
        combined = folder / f"combined-{attempt}.duckdb"
        combine(told, models, combined)
        found = finish(home, combined, models, dbt)
        if found is None or magnitudes is not None:
            return
        magnitudes = found


def _build(
    home: Home, to: date, shards: int, folder: Path, models: ShardedModels, dbt, magnitudes
) -> list[Path]:
    folder.mkdir(parents=True)
    seed = folder / "seed" / "warehouse.duckdb"
    seed.parent.mkdir()
    told = []
    with writer(home.warehouse) as connection:
        write_seed(connection, seed, magnitudes)
        routing = Routing.of(connection, shards)
        connection.execute(f"create temp table links as {earliest_links(link_events(to))}")
        linked = linked_events("landing.raw_events", "links", to)
        connection.execute(f"create temp table routed as {routing.select(f'({linked})')}")
        assert connection.execute("select count(*) from routed where shard < ?", [shards]).fetchall() == (
            connection.execute(
                "select count(*) from landing.raw_events where event_day <= ?", [to]
            ).fetchall()
        )
        for (number,) in connection.execute("select distinct shard from routed order by 1").fetchall():
            shard = Shard(number, routing.unit_type(number), to, seed, models)
            columns = ", ".join((*EVENT_COLUMNS, *LINK_COLUMNS))
            rows = f"(select {columns} from routed where shard = {number})"
            told.append(build_shard(shard, connection, rows, folder / str(number), dbt))
    return told
