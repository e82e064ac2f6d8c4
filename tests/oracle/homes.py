"""A real home driven step by step: land, ingest, build with dbt, judge; and its tables as hashes."""

from __future__ import annotations

import hashlib
import os
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import duckdb
import yaml

from fairsplit.orchestration.catalogue.loading import Definitions, read_definitions
from fairsplit.orchestration.judging.cut_offs import judge_outstanding
from fairsplit.orchestration.landing import IngestSettings, ingest_landing
from fairsplit.orchestration.lifecycle.acting import write_catalogue
from fairsplit.orchestration.project import Home
from fairsplit.orchestration.publishing.exporting import export_configs, proposal
from fairsplit.orchestration.warehouse.opening import writer
from tests.oracle.dbt_runs import build
from tests.oracle.worlds import FIRST_DAY, LandedFile

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from fairsplit.assignment_exports.publishing import PublishedVersion
    from tests.oracle.brute_force import Experiment

DERIVED = (
    "fct_exposures",
    "fct_assignments",
    "fct_sufficient_statistics",
    "fct_value_histograms",
    "fct_daily_exposures",
    "fct_crossovers",
    "fct_losses",
    "fct_logged_units",
    "fct_event_quality",
    "fct_subject_attributes",
    "int_unit_days",
    "int_unit_values",
    "int_open_values",
    "int_increments",
    "int_value_counts",
    "int_identity_links",
    "int_exposure_events",
    "landing.raw_events",
    # The manifest's position is a journal's: it tells the order of arrival, which may differ.
    "(select * exclude (position) from landing.file_accounts)",
    "landing.quarantine",
    "fct_landing_losses",
    "fct_early_outcomes",
    "fct_effect_ages",
    "fct_overlaps",
    "fct_pair_cells",
    "fct_targeting_audits",
    "fct_assignment_audits",
    "fct_holdout_leaks",
    "fct_phase_sums",
    "fct_context_sums",
    "results.comparisons",
    "results.validity",
    "results.decisions",
    "results.allocations",
    "results.policies",
    "results.policy_leaves",
    "results.policy_coefficients",
)
BUSY = {
    "id": "busy",
    "name": "Busy",
    "behaviour": {
        "days": 5,
        "any": [{"measure": "count", "gte": 3}, {"measure": "session_minutes", "gt": 1}],
    },
}


def table_hashes(warehouse: Path, tables: Iterable[str] = DERIVED) -> dict[str, str]:
    """SHA-256 of every derived table's ordered export."""
    result = {}
    with duckdb.connect(str(warehouse)) as connection:
        for table in tables:
            rows = connection.execute(f"from {table}").fetchall()
            text = "\n".join(sorted(repr(row) for row in rows))
            result[table] = hashlib.sha256(text.encode()).hexdigest()
    return result


class DrivenHome:
    """One home; `root` must be a folder of its own, since dbt reads it from the environment."""

    def __init__(self, root: Path, experiments: Iterable[Experiment]) -> None:
        self.home = Home(root / "home").prepare()
        self.catalog = root / "catalog"
        (self.catalog / "experiments").mkdir(parents=True, exist_ok=True)
        (self.catalog / "project.yaml").write_text(yaml.safe_dump({"first_day": FIRST_DAY.isoformat()}))
        (self.catalog / "segments").mkdir(exist_ok=True)
        (self.catalog / "segments" / "busy.yaml").write_text(yaml.safe_dump(BUSY))
        for experiment in experiments:
            self.declare(experiment)

    def declare(self, experiment: Experiment) -> None:
        """Write the experiment's file, or write it anew."""

        def stamp(instant: datetime) -> str:
            return instant.isoformat() + "Z"

        first, *rest = experiment.metrics
        content = {
            "id": experiment.id,
            "name": experiment.id,
            "owner": "growth@example.com",
            "type": "ab" if len(experiment.variants) == 2 else "abn",
            "status": "running",
            "start": stamp(experiment.start),
            **({"end": stamp(experiment.end)} if experiment.end else {}),
            "traffic": 1.0,
            "variants": [{"id": arm, "control": arm == "a"} for arm in experiment.variants],
            "segments": list(experiment.segments),
            "pauses": [{"start": stamp(begin), "end": stamp(end)} for begin, end in experiment.pauses],
            "exposure": {"activation": experiment.activation} if experiment.activation else {},
            "metrics": {"primary": [first], "secondary": rest},
            "plan": {"cuped_days": experiment.cuped_days, "min_sample": 2},
        }
        (self.catalog / "experiments" / f"{experiment.id}.yaml").write_text(
            yaml.safe_dump(content, sort_keys=False)
        )

    def withdraw(self, experiment: Experiment) -> None:
        """Take the experiment's file away, if it is there."""
        (self.catalog / "experiments" / f"{experiment.id}.yaml").unlink(missing_ok=True)

    def land(self, file: LandedFile) -> None:
        path = self.home.landing / file.name
        path.write_text(file.text)
        seconds = (file.arrived - datetime(1970, 1, 1)).total_seconds()  # noqa: DTZ001
        os.utime(path, (seconds, seconds))

    def definitions(self) -> Definitions:
        definitions = read_definitions(self.catalog)
        assert not definitions.catalogue.problems, definitions.catalogue.problems
        return definitions

    def ingest(self) -> None:
        with writer(self.home.warehouse) as connection:
            write_catalogue(connection, self.home, self.definitions())
            settings = IngestSettings(FIRST_DAY, settle=timedelta())
            ingest_landing(self.home.root, connection, settings, [], datetime.now(UTC))

    def build(self, to: date) -> None:
        build(self.home.root, to)

    def judge(self) -> list[date]:
        with writer(self.home.warehouse) as connection:
            return judge_outstanding(connection, self.definitions())

    def export(self) -> PublishedVersion:
        with writer(self.home.warehouse) as connection:
            return export_configs(self.home, connection, proposal(self.home, connection, self.definitions()))

    def query(self, sql: str) -> list[tuple]:
        with duckdb.connect(str(self.home.warehouse)) as connection:
            return connection.execute(sql).fetchall()

    def records(self, sql: str) -> list[dict]:
        with duckdb.connect(str(self.home.warehouse)) as connection:
            found = connection.execute(sql)
            names = [column[0] for column in found.description]
            return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def hashes(self) -> dict[str, str]:
        """SHA-256 of every derived table's ordered export."""
        return table_hashes(self.home.warehouse)
