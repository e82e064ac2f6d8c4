"""A tiny warehouse by the contract of schemas `landing` and `catalog`, written without project code."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import duckdb
import pytest
from tests.oracle.dbt_runs import build

from fairsplit.analysis.catalogue.compiled_metrics import compile_metrics
from fairsplit.analysis.catalogue.metrics import SEMANTIC_FOLDER, SemanticLayer, read_semantic_layer
from fairsplit.orchestration.home.schema import mark
from fairsplit.orchestration.project import DBT_PROJECT_DIR as PROJECT
from fairsplit.orchestration.warehouse.dbt import ask_for
from fairsplit.orchestration.warehouse.opening import replace_tables, writer

if TYPE_CHECKING:
    pass

TEXT = [
    "user_id",
    "anonymous_id",
    "session_id",
    "experiment_id",
    "variation_id",
    "country",
    "region",
    "city",
    "platform",
    "device",
    "browser",
    "os",
    "language",
    "app_version",
    "sdk_name",
    "sdk_version",
    "url",
    "user_agent",
]

SCHEMA = """
create schema landing; create schema catalog;
create table landing.lake (event_id varchar, event_name varchar, occurred_at timestamp, event_day date,
  user_id varchar, anonymous_id varchar, session_id varchar, value decimal(18, 6), experiment_id varchar,
  variation_id varchar, country varchar, region varchar, city varchar, platform varchar, device varchar,
  browser varchar, os varchar, language varchar, app_version varchar, sdk_name varchar, sdk_version varchar,
  url varchar, user_agent varchar, properties varchar, row_md5 varchar, file_hash varchar);
create table landing.excluded (event_day date, event_id varchar, file_hash varchar, reason varchar);
create table landing.manifest (file_hash varchar, status varchar, arrived_at timestamp);
create table landing.quarantine (file_hash varchar, line_number bigint, raw_line varchar);
create table landing.lake_files (event_day date, file_hash varchar, path varchar);
create table landing.home (root varchar);
create table landing.retracted (event_id varchar);
create view landing.raw_events as select * from landing.lake
  where (event_day, event_id, file_hash) not in (select event_day, event_id, file_hash from landing.excluded)
  and event_id not in (select event_id from landing.retracted);
create view landing.days as select event_day, count(*) as rows from landing.lake group by event_day;
create table landing.touched_units (batch bigint, event_day date, id_kind varchar, raw_id varchar);
create table landing.touched_exposures (
  batch bigint, experiment_id varchar, id_kind varchar, raw_id varchar, event_day date, shrunk boolean);
create table landing.touched_links (batch bigint, anonymous_id varchar, shrunk boolean);
create table catalog.settings (key varchar, value varchar);
create table catalog.experiments (experiment_id varchar, name varchar, type varchar, unit_type varchar, sdk varchar,
  status varchar, start_at timestamp, end_at timestamp, exposure_event varchar, activation_event varchar,
  cuped_days int, traffic_salt varchar, split_salt varchar, layer_salt varchar, layer_from double,
  layer_to double, layer_shard_from int, layer_shard_to int, crossovers varchar, sticky boolean,
  assignment varchar, holdout_id varchar, definition_hash varchar, allocation_hash varchar);
create table catalog.assigned_units (
  experiment_id varchar, unit_id varchar, variant_id varchar, stratum bigint);
create table catalog.targetings (experiment_id varchar, attributes varchar, verdict varchar);
create table catalog.overrides (experiment_id varchar, unit_id varchar, variant_id varchar);
create table catalog.former_layers (experiment_id varchar, shard_from int, shard_to int,
  start_at timestamp, end_at timestamp);
create table catalog.holdouts (experiment_id varchar, holdout_id varchar, salt varchar, shards int,
  start_at timestamp, end_at timestamp);
create table catalog.variants (experiment_id varchar, variant_id varchar, is_control boolean, position int);
create table catalog.phases (experiment_id varchar, phase int, start_at timestamp, end_at timestamp,
  traffic double, traffic_shards int, traffic_salt varchar, split_salt varchar,
  band_from int, band_to int,
  leaf int, leaves struct(segment varchar, levels varchar[])[][]);
create table catalog.contexts (experiment_id varchar, metric varchar, features varchar[]);
create table catalog.phase_weights (
  experiment_id varchar, phase int, variant_id varchar, weight double, shard_from int, shard_to int);
create table catalog.periods (experiment_id varchar, start_at timestamp, end_at timestamp);
create table catalog.experiment_metrics (experiment_id varchar, metric varchar, role varchar,
  minimum_effect double, non_inferiority_margin double);
create table catalog.experiment_segments (experiment_id varchar, segment varchar);
create table catalog.segment_rules (segment_id varchar, unit_type varchar, days int, combine varchar, rule int,
  event_name varchar, measure varchar, of_column varchar, from_medium double, from_high double, is_test boolean,
  low double, low_is_out boolean, high double, high_is_out boolean, texts varchar[], attribute varchar,
  definition_hash varchar);
create table catalog.filters (
  name varchar, kind varchar, column_name varchar, operator varchar, operand_values varchar[]);
insert into catalog.settings values ('first_day', '2026-01-01');
"""

DERIVED = [
    "fct_exposures",
    "fct_assignments",
    "fct_sufficient_statistics",
    "fct_value_histograms",
    "fct_daily_exposures",
    "fct_losses",
    "fct_overlaps",
    "fct_early_outcomes",
    "fct_effect_ages",
    "fct_assignment_audits",
    "fct_event_quality",
    "int_unit_days",
    "int_unit_values",
    "int_open_values",
    "int_increments",
    "int_value_counts",
    "int_identity_links",
    "int_exposure_events",
]


def instant(text: str) -> datetime:
    """`'02 10:00'` is that hour of that day of January 2026; `'02'` is its midnight."""
    day, _, clock = text.partition(" ")
    return datetime.fromisoformat(f"2026-01-{day}T{clock or '00:00'}")


def _january(day: str) -> date:
    return date(2026, 1, int(day))


@dataclass
class World:
    """One home: land events, declare experiments, run dbt up to a day, look at the tables."""

    home: Path
    batch: int = 0
    runs: int = 0
    experiments: dict[str, dict] = field(default_factory=dict)
    semantics: SemanticLayer = field(default_factory=lambda: read_semantic_layer(PROJECT))

    def __post_init__(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        with self.connect() as connection:
            connection.execute(SCHEMA)
            mark(connection)

    def connect(self) -> duckdb.DuckDBPyConnection:
        return duckdb.connect(str(self.home / "warehouse.duckdb"), config={"threads": 2})

    def experiment(self, name: str = "exp", metrics: tuple[str, ...] = (), **changes) -> None:
        """Declare (or redefine) one experiment with arms `a` (control) and `b`."""
        it = {
            "unit": "user",
            "start": instant("05"),
            "end": None,
            "activation": None,
            "cuped_days": 0,
            "crossovers": "include",
            "segments": (),
            "event": "experiment_viewed",
            "role": "secondary",
        } | changes
        digest = hashlib.sha256(
            repr((sorted(it.items(), key=lambda pair: pair[0]), metrics)).encode()
        ).hexdigest()
        with self.connect() as connection:
            for table in (
                "experiments",
                "variants",
                "phases",
                "phase_weights",
                "periods",
                "experiment_metrics",
                "experiment_segments",
            ):
                connection.execute(f"delete from catalog.{table} where experiment_id = ?", [name])
            connection.execute(
                "insert into catalog.experiments values (?,?,'ab',?,'ufc','running',?,?,?,?,?,?,?,"
                "null,null,null,null,null,?,false,'hash',null,?,'')",
                [
                    name, name, it["unit"], it["start"], it["end"], it["event"], it["activation"],
                    it["cuped_days"], f"{name}-traffic", f"{name}-split", it["crossovers"], digest,
                ],
            )  # fmt: skip
            connection.execute(
                "insert into catalog.phases values (?,0,?,?,1.0,10000,?,?,null,null,null,null)",
                [name, it["start"], it["end"], f"{name}-traffic", f"{name}-split"],
            )
            connection.execute("insert into catalog.periods values (?,?,?)", [name, it["start"], it["end"]])
            for position, arm in enumerate(("a", "b")):
                connection.execute(
                    "insert into catalog.variants values (?,?,?,?)", [name, arm, arm == "a", position]
                )
                connection.execute(
                    "insert into catalog.phase_weights values (?,0,?,0.5,?,?)",
                    [name, arm, position * 5000, position * 5000 + 5000],
                )
            for metric in metrics:
                connection.execute(
                    "insert into catalog.experiment_metrics values (?,?,?,null,null)",
                    [name, metric, it["role"]],
                )
            for segment in it["segments"]:
                connection.execute("insert into catalog.experiment_segments values (?,?)", [name, segment])

    def define(self, semantic_yaml: str) -> None:
        """Put a semantic layer of one's own in place of the shipped one."""
        folder = self.home / "own" / SEMANTIC_FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "metrics.yml").write_text(semantic_yaml)
        self.semantics = read_semantic_layer(self.home / "own")
        assert self.semantics.problems == ()

    def _compile_metrics(self) -> None:
        """The used metrics as tables; how a definition becomes a row is not what these tests look at."""
        with self.connect() as connection:
            named = connection.execute("select distinct metric from catalog.experiment_metrics").fetchall()
            metrics = [SimpleNamespace(metric=name) for (name,) in named]
            experiment = SimpleNamespace(metric_uses=[("secondary", one) for one in metrics])
            tables = compile_metrics([experiment], self.semantics.metrics, self.semantics.measures)
            replace_tables(connection, "catalog", tables)

    def land(self, *events: dict) -> None:
        """One file with these events (keys of the lake; `at` for occurred_at, `id` for event_id)."""
        self.batch += 1
        with self.connect() as connection:
            for event in events:
                row = dict.fromkeys(TEXT) | event
                occurred_at = instant(row.pop("at"))
                row |= {
                    "event_id": row.pop("id"),
                    "event_name": row.pop("name"),
                    "occurred_at": occurred_at,
                    "event_day": occurred_at.date(),
                    "properties": json.dumps(row.pop("properties", {}), sort_keys=True),
                    "row_md5": "",
                    "file_hash": f"{self.batch:064x}",
                }
                columns = ", ".join(row)
                connection.execute(
                    f"insert into landing.lake ({columns}) values ({','.join('?' * len(row))})",
                    list(row.values()),
                )
                self._touch(connection, row, shrunk=False)

    def _touch(self, connection, row: dict, *, shrunk: bool) -> None:
        for kind in ("user", "anonymous", "session"):
            if row[f"{kind}_id"] is None:
                continue
            connection.execute(
                "insert into landing.touched_units values (?,?,?,?)",
                [self.batch, row["event_day"], kind, row[f"{kind}_id"]],
            )
            if row["experiment_id"]:
                connection.execute(
                    "insert into landing.touched_exposures values (?,?,?,?,?,?)",
                    [self.batch, row["experiment_id"], kind, row[f"{kind}_id"], row["event_day"], shrunk],
                )
        if row["user_id"] and row["anonymous_id"]:
            connection.execute(
                "insert into landing.touched_links values (?,?,?)", [self.batch, row["anonymous_id"], shrunk]
            )

    def retract(self, event_id: str) -> None:
        """Take one event away as ingest does for a retraction."""
        self.batch += 1
        with self.connect() as connection:
            connection.execute("insert into landing.retracted values (?)", [event_id])
            found = connection.execute("select * from landing.lake where event_id = ?", [event_id]).fetchdf()
            for row in found.astype(object).where(found.notna(), None).to_dict("records"):
                row["event_day"] = row["event_day"].date()
                self._touch(connection, row, shrunk=True)

    def start(self, day: str) -> subprocess.Popen[str]:
        """Begin to build everything up to a day of January, in a process group of its own."""
        self._compile_metrics()
        with writer(self.home / "warehouse.duckdb") as connection:
            ask_for(connection, _january(day))
        command = [sys.executable, "-m", "dbt.cli.main", "run"]
        for option, value in {
            "project-dir": PROJECT,
            "profiles-dir": PROJECT,
            "target-path": self.home / "dbt",
            "log-path": self.home / "logs",
        }.items():
            command += [f"--{option}", str(value)]
        environment = {**os.environ, "FAIRSPLIT_HOME": str(self.home)}
        return subprocess.Popen(
            command,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, day: str) -> None:
        """Build everything up to a day of January."""
        self._compile_metrics()
        build(self.home, _january(day))

    @staticmethod
    def kill(process: subprocess.Popen[str]) -> None:
        """SIGKILL of the whole process group, if it is still there."""
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()

    def rows(self, sql: str) -> list[tuple]:
        with self.connect() as connection:
            return connection.execute(sql).fetchall()

    def statistics(self, metric: str, day: str, where: str = "true") -> dict[str, dict]:
        """Variant → row of the default analysis at one cut-off."""
        with self.connect() as connection:
            found = connection.execute(
                "select * from fct_sufficient_statistics where metric = ? and cut_off = ? "
                f"and segment = 'all' and analysis = 'default' and {where}",
                [metric, date(2026, 1, int(day))],
            )
            names = [column[0] for column in found.description]
            return {
                row["variant_id"]: row
                for row in (dict(zip(names, line, strict=True)) for line in found.fetchall())
            }

    def export(self) -> dict[str, list[tuple]]:
        """Every derived table, ordered."""
        with self.connect() as connection:
            tables = {}
            for table in DERIVED:
                rows = connection.execute(f"select * from {table}").fetchall()
                tables[table] = sorted(rows, key=repr)
            return tables


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "home")


@pytest.fixture
def make_world(tmp_path: Path):
    return lambda name: World(tmp_path / name)


@pytest.fixture
def viewed():
    """An exposure event of experiment `exp` unless said otherwise."""

    def event(event_id: str, when: str, arm: str, **more) -> dict:
        it = {"id": event_id, "name": "experiment_viewed", "at": when, "experiment_id": "exp"}
        return it | {"variation_id": arm} | more

    return event


@pytest.fixture
def at():
    """Reads `'02 10:00'` as that instant of January 2026."""
    return instant
