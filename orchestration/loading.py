"""The user's catalogue and metrics as every step reads them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb

from analysis.catalogue import Catalogue, MetricDefinition, load_catalogue, load_metrics
from analysis.catalogue.metrics import Measure, load_measures
from analysis.errors import Problem
from orchestration.ingest.sql import EVENT_COLUMNS, EVENT_TYPES
from orchestration.paths import DBT_PROJECT_DIR, catalog_dir

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Definitions:
    """What the user defined.

    Attributes:
        measures: Every sound measure of the semantic layer, by name.
        metrics: Metrics of the semantic layer whose SQL the warehouse understands, by name.
        catalogue: Project settings, experiments, flags, segments, and the problems of the broken ones.
        metric_problems: Measures whose SQL the warehouse does not understand; their metrics are left out, and the
            experiments that name them are broken, so that no other experiment is stopped by them.
    """

    measures: Mapping[str, Measure]
    metrics: Mapping[str, MetricDefinition]
    catalogue: Catalogue
    metric_problems: tuple[Problem, ...]


def read_definitions(catalog: Path | None = None) -> Definitions:
    """Read the catalogue and the semantic layer from disk.

    Args:
        catalog: The catalogue's folder; the environment's by default.

    Raises:
        CatalogueError: `project.yaml` is missing or wrong; a broken experiment is reported, not raised.
    """
    measures = load_measures(DBT_PROJECT_DIR)
    faults = measure_faults(measures)
    metrics = {
        name: metric
        for name, metric in load_metrics(DBT_PROJECT_DIR).items()
        if not faults.keys() & {metric.numerator, metric.denominator, *metric.funnel}
    }
    catalogue = load_catalogue(catalog or catalog_dir(), metrics)
    return Definitions(measures, metrics, catalogue, tuple(faults.values()))


def measure_faults(measures: Mapping[str, Measure]) -> dict[str, Problem]:
    """Measures whose expression does not bind to the event columns, with DuckDB's reason.

    One bad expression would fail the model that computes all measures, and with it every experiment.
    """
    columns = ", ".join(f'"{name}" {EVENT_TYPES.get(name, "varchar")}' for name in EVENT_COLUMNS)
    faults = {}
    with duckdb.connect() as connection:
        connection.execute(f"create table events ({columns})")
        for measure in measures.values():
            try:
                connection.execute(f"select {measure.expr} from events").fetchall()
            except duckdb.Error as error:
                faults[measure.name] = Problem(
                    "the warehouse does not understand the measure",
                    f"measure {measure.name}",
                    measure.expr,
                    "SQL over the columns of stg_events",
                    str(error).splitlines()[0],
                )
    return faults
