"""A project's tables as frames: `fairsplit.open`, and what the commands that only read go by."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from fairsplit.analysis.judgement.rows import ALLOCATIONS, COMPARISONS, DECISIONS, VALIDITY
from fairsplit.orchestration.catalogue.loading import Definitions, read_definitions
from fairsplit.orchestration.project import Home, Project
from fairsplit.orchestration.reading.baselines import minimum_effect, warehouse_baseline
from fairsplit.orchestration.reading.behind import behind, unit_values
from fairsplit.orchestration.reading.policies import read_policy
from fairsplit.orchestration.reading.results import (
    judged_experiments,
    read_newest,
    read_results,
    require_known,
)
from fairsplit.orchestration.warehouse.opening import reader

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fairsplit.analysis.catalogue.sizes import Size
    from fairsplit.analysis.planning.baseline import Baseline


@dataclass(frozen=True, slots=True)
class OpenProject:
    """A project to read from. Every call opens the warehouse for a moment and closes it again.

    While a run holds the warehouse a call refuses; `exports/current/fairsplit.duckdb` can be read meanwhile.

    Attributes:
        home: What runs have written.
        project: Where the definitions lie; none where the environment says so.
    """

    home: Home
    project: Project | None = None

    def results(
        self, experiment: str | None = None, metric: str | None = None, *, every_cut_off: bool = False
    ) -> pl.DataFrame:
        """Rows of `results.comparisons`: one per metric, segment level, analysis and variant, control first.

        Args:
            experiment: Only this one.
            metric: Only this metric.
            every_cut_off: Those of all days, as they are known now, instead of each experiment's newest.
        """
        return self._rows("comparisons", COMPARISONS, experiment, metric, every_cut_off=every_cut_off)

    def decisions(self, experiment: str | None = None, *, every_cut_off: bool = False) -> pl.DataFrame:
        """Rows of `results.decisions`: one per experiment."""
        return self._rows("decisions", DECISIONS, experiment, every_cut_off=every_cut_off)

    def validity(self, experiment: str | None = None, *, every_cut_off: bool = False) -> pl.DataFrame:
        """Rows of `results.validity`: one per check and place; a `fail` closes the experiment's gate."""
        return self._rows("validity", VALIDITY, experiment, every_cut_off=every_cut_off)

    def allocations(self, experiment: str | None = None, *, every_cut_off: bool = False) -> pl.DataFrame:
        """Rows of `results.allocations`: of bandits, one per variant."""
        return self._rows("allocations", ALLOCATIONS, experiment, every_cut_off=every_cut_off)

    def policy(self, experiment: str) -> dict[str, Any]:
        """What a contextual bandit has learned: its rows of `results.policies` and their leaves and coefficients.

        Args:
            experiment: A contextual bandit.

        Returns:
            ``policy``, ``leaves`` and ``coefficients``, rows of those tables, and ``gate``, the sentences of the checks
            that fail; while there are any, the policy is neither told on pages nor served.

        Raises:
            OrchestrationError: Nothing was judged, or no contextual bandit has this id.
        """
        with reader(self.home.warehouse) as connection:
            return read_policy(connection, experiment)

    def exposures(self, experiment: str | None = None) -> pl.DataFrame:
        """Rows of `fct_exposures`: the first qualifying exposure of each unit in each experiment.

        Args:
            experiment: Only this one.
        """
        with reader(self.home.warehouse) as connection:
            if experiment is not None:
                require_known(experiment, judged_experiments(connection), "experiment", "EXPERIMENT")
            frame: pl.DataFrame = connection.sql(
                """from fct_exposures where $e is null or experiment_id = $e
                   order by experiment_id, unit_id""",
                params={"e": experiment},
            ).pl()
        return frame

    def metric_values(self, experiment: str, metric: str) -> pl.DataFrame:
        """Each unit's value behind the newest figures of one metric, computed anew from the events.

        Args:
            experiment: The experiment.
            metric: One of its metrics.

        Returns:
            Columns as `reading.behind.unit_values` says; zeros included.
        """
        with reader(self.home.warehouse) as connection:
            return unit_values(connection, behind(connection, self.definitions(), experiment, metric))

    def definitions(self) -> Definitions:
        """The catalogue and the metrics as they stand in the project's files."""
        if self.project is None:
            return read_definitions()
        return read_definitions(self.project.catalog, self.project.dbt, self.project.library)

    def newest(self, experiment: str | None = None, metric: str | None = None) -> list[dict[str, Any]]:
        """What `fairsplit results --format json` prints: one dict an experiment."""
        with reader(self.home.warehouse) as connection:
            return read_results(connection, experiment, metric)

    def baseline(
        self, metric: str, experiment: str | None, segment: tuple[str, str]
    ) -> tuple[Baseline, Size | None]:
        """What the newest results say of a metric, and the smallest effect that is declared for it."""
        definitions = self.definitions()
        with reader(self.home.warehouse) as connection:
            found = warehouse_baseline(connection, definitions, metric, experiment, segment)
        return found, minimum_effect(definitions, metric, experiment, found.mean)

    def _rows(
        self,
        table: str,
        schema: Mapping[str, pl.DataType],
        experiment: str | None,
        metric: str | None = None,
        *,
        every_cut_off: bool,
    ) -> pl.DataFrame:
        with reader(self.home.warehouse) as connection:
            frame = read_newest(connection, table, experiment, metric, every_cut_off=every_cut_off)
        return frame.select(pl.col(name).cast(dtype) for name, dtype in schema.items())


def open_project(project: str | Path | None = None, *, home: str | Path | None = None) -> OpenProject:
    """Open a project to read its tables as Polars frames.

    Args:
        project: Folder of its `fairsplit.yaml`. Left out, it is found as the commands find it: by the environment's
            `FAIRSPLIT_PROJECT`, `FAIRSPLIT_CATALOG` and `FAIRSPLIT_HOME`, else from the working directory upwards.
        home: What runs have written, where it is not the folder that the project names.

    Raises:
        FairsplitError: There is no project, or its settings are wrong.
    """
    said = None if project is None else Project.at(Path(project).resolve())
    if home is not None:
        return OpenProject(Home(Path(home).resolve()), said)
    return OpenProject(Home.from_environment() if said is None else Home(said.home), said)
