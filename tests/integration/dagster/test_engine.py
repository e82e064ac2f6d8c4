"""Which engine a run asks, and that Dagster hears of every model whichever it is."""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import dagster as dg
import pytest
from tests.command import fairsplit

from fairsplit.orchestration.defs.models import assets
from fairsplit.orchestration.project import DBT_PROJECT_DIR, Home
from fairsplit.orchestration.running.resources.dbt import LeanDbt
from fairsplit.orchestration.running.resources.home import HomeResource
from fairsplit.orchestration.running.runs import ENGINE
from fairsplit.orchestration.sharding.models import ShardedModels
from fairsplit.orchestration.warehouse.dbt import manifest_path

if TYPE_CHECKING:
    from collections.abc import Callable

    from fairsplit.analysis.catalogue.project import Cluster

pytestmark = pytest.mark.integration


def test_a_run_tagged_for_spark_builds_there_and_tests_what_came_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAIRSPLIT_HOME", str(tmp_path))
    asked: list[object] = []

    def on_spark(home: Home, to: date, cluster: Cluster, say: Callable[[str], None]) -> ShardedModels:
        asked.append(to)
        return ShardedModels.read(manifest_path(home))

    def dbt(_: LeanDbt, arguments: list[str], **__: object) -> SimpleNamespace:
        asked.append((arguments[0], "int_unit_values" in arguments[4].split()))
        return SimpleNamespace(stream=lambda: iter(()))

    monkeypatch.setattr(assets, "build_on_spark", on_spark)
    monkeypatch.setattr(LeanDbt, "cli", dbt)
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=":")
    project = str(DBT_PROJECT_DIR)
    found = dg.materialize(
        [assets.warehouse_models],
        partition_key="2026-01-07",
        tags={ENGINE: "spark"},
        resources={
            "fairsplit_dbt": LeanDbt(project_dir=project, profiles_dir=project),
            "fairsplit_home": HomeResource(),
        },
    )
    assert asked == [date(2026, 1, 7), ("test", True)]
    told = found.asset_materializations_for_node(assets.warehouse_models.op.name)
    assert {one.asset_key for one in told} == set(assets.warehouse_models.keys)
    assert {one.metadata["engine"].value for one in told} == {"spark"}


def test_an_engine_that_is_none_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"no such engine.*hadoop.*duckdb or spark"):
        fairsplit(tmp_path, "run", "--engine", "hadoop")
