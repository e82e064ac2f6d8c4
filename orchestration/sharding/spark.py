"""The tables built on a Spark cluster: Spark reads, shuffles, schedules and retries; every task asks DuckDB."""

from __future__ import annotations

import hashlib
import math
import os
import shutil
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fairsplit.analysis.errors import Problem
from fairsplit.orchestration.errors import OrchestrationError
from fairsplit.orchestration.sharding import tasks
from fairsplit.orchestration.sharding.combining import combine
from fairsplit.orchestration.sharding.finishing import finish, prepare
from fairsplit.orchestration.sharding.models import ShardedModels
from fairsplit.orchestration.sharding.routing import Routing
from fairsplit.orchestration.sharding.shard import write_seed
from fairsplit.orchestration.sharding.storage import Storage, Stored
from fairsplit.orchestration.warehouse.dbt import manifest_path, run_dbt
from fairsplit.orchestration.warehouse.opening import writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import date
    from pathlib import Path

    import pyarrow as pa  # type: ignore[import-untyped]

    from fairsplit.analysis.catalogue.project import Cluster
    from fairsplit.orchestration.project import Home

_LOOPBACK = ("local", "spark://127.0.0.1", "spark://localhost")


@dataclass(frozen=True, slots=True)
class _Inputs:
    """What one pass over the shards is told by the home."""

    to: date
    routing: Routing
    lake: list[str]
    excluded: pa.Table
    events: int
    seed: bytes


def build_on_spark(
    home: Home, to: date, cluster: Cluster, say: Callable[[str], None] = lambda _: None
) -> ShardedModels:
    """Build every table of a home up to a day, in shards on a Spark cluster: always all of it.

    Args:
        home: Landed, with its catalogue's tables. Its lake lies where the workers see it too.
        to: The last day, included.
        cluster: Where Spark's master is, how many shards there are, where they leave what they tell.
        say: Is told of every step.

    Returns:
        The models, by what became of their rows.

    Raises:
        OrchestrationError: pyspark or Java is missing, the cluster cannot be reached, or dbt fails in a shard.
    """
    models = ShardedModels.read(manifest_path(home))
    storage = _storage(home, cluster)
    with _session(cluster.master) as session:
        last = prepare(home, to, _dbt)
        magnitudes: pa.Table | None = None
        while True:
            # Nothing of a unit is left behind, not by a run that was killed before this one either.
            with _emptied(home.root / ".shards") as folder, _cleared(storage):
                inputs = _inputs(home, last, cluster.shards, folder, magnitudes)
                say(f"{inputs.routing.total} shards of {inputs.events} events, on {cluster.master}")
                told = _told_by_shards(session, inputs, models, storage)
                say("the shards are built")
                parts = [storage.get(one, folder) for one in told]
                combined = folder / "combined.duckdb"
                combine(parts, models, combined)
                found = finish(home, combined, models, _dbt)
            if found is None or magnitudes is not None:
                return models
            magnitudes = found
            say("some sums do not fit 128 bits: the shards are built again, with what all of them know")


def _storage(home: Home, cluster: Cluster) -> Storage:
    """Where the shards of this home leave what they tell: a folder that no other home has."""
    if cluster.storage is None:
        return Storage((home.root / ".shards-told").as_uri())
    name = hashlib.sha256(str(home.root).encode()).hexdigest()[:16]
    return Storage(f"{cluster.storage.rstrip('/')}/fairsplit-{name}")


@contextmanager
def _emptied(folder: Path) -> Iterator[Path]:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@contextmanager
def _cleared(storage: Storage) -> Iterator[None]:
    storage.clear()
    try:
        yield
    finally:
        storage.clear()


def _inputs(home: Home, to: date, shards: int, folder: Path, magnitudes: pa.Table | None) -> _Inputs:
    seed = folder / "seed" / "warehouse.duckdb"
    seed.parent.mkdir()
    with writer(home.warehouse) as connection:
        write_seed(connection, seed, magnitudes)
        lake = connection.execute(
            "select path from landing.lake_files where event_day <= ? order by path", [to]
        )
        paths = [str(home.root / path) for (path,) in lake.fetchall()]
        days = connection.execute("select rows from landing.days where event_day <= ?", [to]).fetchall()
        excluded = connection.sql(
            f"select event_day, event_id, file_hash from landing.excluded where event_day <= date '{to}'"
        )
        return _Inputs(
            to=to,
            routing=Routing.of(connection, shards),
            lake=paths,
            excluded=excluded.to_arrow_table(),
            events=sum(rows for (rows,) in days),
            seed=seed.read_bytes(),
        )


def _told_by_shards(session: Any, inputs: _Inputs, models: ShardedModels, storage: Storage) -> list[Stored]:
    """Route the events, build the shards, and add up what they tell, in as many tasks as the root of their number."""
    routing = inputs.routing
    context = session.sparkContext
    seed = context.broadcast(inputs.seed)
    # A shuffle's parts are as large as a shard then.
    session.conf.set("spark.sql.shuffle.partitions", routing.total)
    slices = min(len(inputs.lake), max(routing.total, context.defaultParallelism))
    paths = context.parallelize([(path,) for path in inputs.lake], slices)
    rows = session.createDataFrame(paths, "path string").mapInArrow(tasks.ReadLake().__call__, tasks.EVENTS)
    excluded = session.createDataFrame(inputs.excluded)
    events = rows.join(excluded, ["event_day", "event_id", "file_hash"], "left_anti")
    links = (
        events.mapInArrow(tasks.FindLinks(seed, inputs.to).__call__, tasks.LINKS)
        .repartition("anonymous_id")
        .mapInArrow(tasks.EarliestLinks().__call__, tasks.LINKS)
        .toDF("anonymous_id", "linked_user_id", "linked_at", "linked_event_id")
    )
    moved = (
        events.join(links, "anonymous_id", "left")
        .mapInArrow(tasks.Route(routing).__call__, tasks.ROUTED)
        .repartitionById(routing.total, "shard")
        .mapInArrow(
            tasks.BuildShard(seed, routing, inputs.to, models, storage).__call__,
            tasks.TOLD,
        )
    )
    with _told_in_words(context.master):
        built = moved.collect()
    _require_every_event(inputs, {row.shard: row.events for row in built})
    told = [Stored(row.name, row.sha256) for row in sorted(built, key=lambda row: row.shard)]
    parts = context.parallelize(told, max(1, math.isqrt(len(told))))
    with _told_in_words(context.master):
        combined: list[Stored] = parts.mapPartitions(tasks.Combine(models, storage).__call__).collect()
    return combined


@contextmanager
def _told_in_words(master: str) -> Iterator[None]:
    """A job that Spark gave up, as one message: what the last task said, without Java's stack.

    Raises:
        OrchestrationError: It did.
    """
    from py4j.protocol import Py4JError  # noqa: PLC0415 (comes with pyspark)
    from pyspark.errors import PySparkException  # noqa: PLC0415

    try:
        yield
    except (PySparkException, Py4JError) as error:
        lines = [line.strip() for line in str(error).splitlines()]
        words = next((line for line in lines if line.startswith("fairsplit.") or "Error:" in line), lines[0])
        hint = "the whole message stands in the logs of Spark's driver and executors"
        raise OrchestrationError(
            Problem("the shards cannot be built", master, words, "every task ends well", hint)
        ) from error


def _require_every_event(inputs: _Inputs, events: dict[int, int]) -> None:
    """Every accepted event is in one shard of users: what Spark moved is what landed.

    Raises:
        OrchestrationError: It is not; nothing has been changed in the home.
    """
    routed = sum(rows for shard, rows in events.items() if shard < inputs.routing.shards)
    if routed != inputs.events:
        raise OrchestrationError(
            Problem(
                "the shards hold other events than the lake",
                where=f"{inputs.routing.shards} shards of users",
                value=f"{routed} events",
                rule=f"{inputs.events} events",
                hint="the workers have to see the home's lake under its own path",
            )
        )


def _dbt(home: Home, arguments: tuple[str, ...]) -> None:
    run_dbt(home, "dbt cannot build the tables", *arguments, "--target-path", str(home.dbt_target))


@contextmanager
def _session(master: str) -> Iterator[Any]:
    """A Spark session in UTC, stopped on leaving.

    Raises:
        OrchestrationError: pyspark or Java is not installed, or no master answers.
    """
    try:
        from pyspark.errors import PySparkException  # noqa: PLC0415 (half a gigabyte that few have)
        from pyspark.sql import SparkSession  # noqa: PLC0415
    except ImportError as error:
        raise OrchestrationError(
            Problem("pyspark is not installed", "engine: spark", hint="`pip install fairsplit[spark]`")
        ) from error
    if not shutil.which("java") and not os.environ.get("JAVA_HOME"):
        hint = "install Java 17 or later, from the distribution's packages"
        raise OrchestrationError(Problem("Java is not installed", "engine: spark", hint=hint))
    if master.startswith(_LOOPBACK):
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    try:
        session = (
            SparkSession.builder.appName("fairsplit")
            .master(master)
            .config("spark.ui.enabled", "false")
            .config("spark.ui.showConsoleProgress", "false")
            .config("spark.sql.session.timeZone", "UTC")
            .config("spark.sql.execution.arrow.maxRecordsPerBatch", "65536")
            .getOrCreate()
        )
    except (PySparkException, RuntimeError, OSError) as error:
        raise OrchestrationError(
            Problem("Spark does not start", "cluster.master", master, hint=str(error).splitlines()[0])
        ) from error
    try:
        yield session
    finally:
        session.stop()
