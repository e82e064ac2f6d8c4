"""The tables of a home that a Spark cluster has built equal those of one machine, byte for byte; exports too."""

from __future__ import annotations

import shutil
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml
from tests.command import fairsplit
from tests.oracle.dbt_runs import model_meta
from tests.oracle.homes import DERIVED, DrivenHome, table_hashes
from tests.oracle.kinds import LAST_DAY, kinds_home, large_rows
from tests.oracle.worlds import EXPERIMENTS, make_events, split
from tests.oracle.worlds import LAST_DAY as LAST_ORACLE_DAY

from fairsplit.analysis.catalogue.project import Cluster
from fairsplit.orchestration.sharding.spark import build_on_spark
from fairsplit.orchestration.warehouse.dbt import ensure_manifest

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from tests.integration.spark.conftest import StandaloneCluster

ROOT = Path(__file__).resolve().parents[3]
#: So few that their pages and verdicts cost little.
EXPERIMENTS_OF_THE_DEMO = {"checkout_cta", "landing_layout"}
pytestmark = [
    pytest.mark.integration,
    pytest.mark.spark,
    # py4j leaves its sockets to the collector.
    pytest.mark.filterwarnings(
        "ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"
    ),
]


def expect_equal(
    make: Callable[[Path], DrivenHome],
    to: date,
    folder: Path,
    cluster: StandaloneCluster,
    shards: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole, home = make(folder / "whole"), make(folder / "sharded")
    whole.build(to)
    monkeypatch.setenv("FAIRSPLIT_HOME", str(home.home.root))
    monkeypatch.setenv("FAIRSPLIT_CATALOG", str(home.catalog))
    ensure_manifest(home.home)
    build_on_spark(home.home, to, Cluster(master=cluster.master, shards=shards))
    kept = {name for name, said in model_meta().items() if said.get("shards") == "kept"}
    found = []
    for one in (whole, home):
        one.judge()
        tables = {
            table: sorted(map(repr, one.query(f"from {table}"))) for table in DERIVED if table not in kept
        }
        version = one.export()
        exported = {
            path.relative_to(version.path).as_posix(): path.read_bytes()
            for path in sorted(version.path.rglob("*"))
            if path.is_file() and path.suffix in {".json", ".parquet"} and path.name != "manifest.json"
        }
        found.append({**tables, **exported})
    left, right = found
    assert left.keys() == right.keys()
    assert {name for name in left if left[name] != right[name]} == set()


@pytest.mark.parametrize("shards", [1, 2, 7])
def test_three_kinds_of_unit(
    cluster: StandaloneCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shards: int
) -> None:
    expect_equal(lambda folder: kinds_home(folder, 5), LAST_DAY, tmp_path, cluster, shards, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_seeded_worlds(
    cluster: StandaloneCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    def make(folder: Path) -> DrivenHome:
        home = DrivenHome(folder, EXPERIMENTS)
        for file in split(seed, make_events(seed)):
            home.land(file)
        home.ingest()
        return home

    expect_equal(make, LAST_ORACLE_DAY, tmp_path, cluster, (1, 2, 7)[seed % 3], monkeypatch)


@pytest.mark.slow
def test_sums_that_fit_in_each_shard_and_not_together(
    cluster: StandaloneCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = large_rows(units=4, each=400)
    expect_equal(lambda folder: kinds_home(folder, 5, more), LAST_DAY, tmp_path, cluster, 2, monkeypatch)


@pytest.mark.slow
@pytest.mark.fault
def test_a_worker_that_is_killed_changes_nothing(
    cluster: StandaloneCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = tmp_path / "sharded" / "home" / ".shards-told"
    is_over = threading.Event()

    def kill_when_the_first_shard_is_told() -> None:
        while not is_over.wait(0.05):
            if told.is_dir() and any(told.iterdir()):
                cluster.workers[0].send_signal(signal.SIGKILL)
                return

    killer = threading.Thread(target=kill_when_the_first_shard_is_told)
    killer.start()
    try:
        expect_equal(lambda folder: kinds_home(folder, 5), LAST_DAY, tmp_path, cluster, 3, monkeypatch)
    finally:
        is_over.set()
        killer.join()
    assert cluster.workers[0].poll() is not None


def test_the_command_line_builds_the_demo_world_on_the_cluster(
    cluster: StandaloneCluster, tmp_path: Path
) -> None:
    catalog = tmp_path / "catalog"
    shutil.copytree(ROOT / "catalog", catalog, ignore=shutil.ignore_patterns("flags", "schema"))
    for path in (catalog / "experiments").iterdir():
        if path.stem not in EXPERIMENTS_OF_THE_DEMO:
            path.unlink()
    settings = catalog / "project.yaml"
    declared = yaml.safe_load(settings.read_text())
    settings.write_text(yaml.safe_dump(declared | {"cluster": {"master": cluster.master, "shards": 2}}))
    homes = {name: tmp_path / name for name in ("duckdb", "spark")}
    fairsplit(homes["duckdb"], "simulate", "--users", "300", "--days", "3", catalog=catalog)
    shutil.copytree(homes["duckdb"], homes["spark"])
    for engine, home in homes.items():
        fairsplit(home, "run", "--engine", engine, catalog=catalog)
    kept = {name for name, said in model_meta().items() if said.get("shards") == "kept"}
    one, many = (
        table_hashes(home / "warehouse.duckdb", [table for table in DERIVED if table not in kept])
        for home in homes.values()
    )
    assert {table for table in one if one[table] != many[table]} == set()
    for name in ("ufc.json", "flagd.json", "growthbook.json", "results.parquet", "decisions.parquet"):
        exported = [(home / "exports" / "current" / name).read_bytes() for home in homes.values()]
        assert exported[0] == exported[1], name
