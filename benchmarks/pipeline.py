"""A home that the benchmarks drive stage by stage, by the functions that the Dagster steps call."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from benchmarks.measuring import Measurement, measured
from benchmarks.worlds import FIRST_DAY, World
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner

from fairsplit.analysis.scorecards import render_site
from fairsplit.orchestration.catalogue.loading import read_definitions
from fairsplit.orchestration.judging.cut_offs import judge_outstanding
from fairsplit.orchestration.judging.interacting import judge_interactions
from fairsplit.orchestration.landing import IngestSettings, ingest_landing
from fairsplit.orchestration.lifecycle.acting import write_catalogue
from fairsplit.orchestration.project import DBT_PROJECT_DIR, Home, catalog_dir
from fairsplit.orchestration.publishing.exporting import export_configs, proposal
from fairsplit.orchestration.publishing.site import write_site
from fairsplit.orchestration.publishing.site.inputs import site_inputs
from fairsplit.orchestration.warehouse.dbt import ask_for
from fairsplit.orchestration.warehouse.opening import writer

if TYPE_CHECKING:
    from pathlib import Path

    from dbt.contracts.graph.manifest import Manifest


class Driven:
    """One home with its world. dbt reads the home from the environment, so drive one home at a time.

    Args:
        root: A folder of its own, still absent.
        world: What lands in it.
    """

    def __init__(self, root: Path, world: World) -> None:
        self.world = world
        world.write_catalogue(root / "catalog")
        os.environ |= {"FAIRSPLIT_HOME": str(root / "home"), "FAIRSPLIT_CATALOG": str(root / "catalog")}
        self.home = Home.from_environment().prepare()
        self._manifest: Manifest | None = None
        self._parse()

    def day(self, first: int, last: int) -> list[Measurement]:
        """Land, ingest, build and judge the days first..last, counted from 0 and both included."""
        self.world.land(self.home.landing, range(first, last + 1))
        return self.run(last, (last + 1 - first) * self.world.events)

    def run(self, last: int, rows: int) -> list[Measurement]:
        """Work off what has landed, up to a day; `rows` of events, none for an empty run."""
        with measured("ingest", rows) as ingest:
            self._ingest()
        with measured("dbt build", rows) as build:
            self._build(FIRST_DAY + timedelta(days=last))
        with measured("analysis") as analysis, writer(self.home.warehouse) as connection:
            judge_outstanding(connection, read_definitions())
            judge_interactions(connection, read_definitions())
        return [ingest, build, analysis]

    def publish(self) -> list[Measurement]:
        """Configs and pages of what was judged."""
        definitions = read_definitions()
        with writer(self.home.warehouse) as connection:
            with measured("publishing: configs") as configs:
                export_configs(self.home, connection, proposal(self.home, connection, definitions))
            with measured("publishing: site") as site:
                inputs = site_inputs(connection, definitions, catalog_dir(), {})
                write_site(self.home.site, render_site(inputs), {})
        return [configs, site]

    def _ingest(self) -> None:
        definitions = read_definitions()
        with writer(self.home.warehouse) as connection:
            write_catalogue(connection, self.home, definitions)
            settings = IngestSettings(FIRST_DAY, settle=timedelta())
            ingest_landing(self.home.root, connection, settings, [], datetime.now(UTC))

    def _build(self, last: date) -> None:
        with writer(self.home.warehouse) as connection:
            ask_for(connection, last)
        self._dbt(["build", "--exclude-resource-type", "unit_test"])

    def _parse(self) -> None:
        self._manifest = self._dbt(["parse"]).manifest

    def _dbt(self, arguments: list[str]) -> dbtRunner:
        folder = str(DBT_PROJECT_DIR)
        runner = dbtRunner(manifest=self._manifest)
        done = runner.invoke(
            [
                *arguments,
                "--quiet",
                *("--project-dir", folder),
                *("--profiles-dir", folder),
                *("--target-path", str(self.home.dbt_target)),
                *("--log-level-file", "none"),
            ]
        )
        # In this process dbt would keep the file open with settings of its own.
        DuckDBConnectionManager.close_all_connections()
        if not done.success:
            raise RuntimeError(f"dbt {arguments[0]} failed: {done.exception or done.result}")
        return runner
