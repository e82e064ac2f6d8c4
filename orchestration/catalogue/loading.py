"""The user's catalogue and metrics as every step reads them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fairsplit.analysis.catalogue import Catalogue, MetricDefinition, load_catalogue
from fairsplit.analysis.catalogue.library import Library
from fairsplit.analysis.catalogue.loading import load_sources
from fairsplit.analysis.catalogue.metrics import Measure, SemanticLayer, read_semantic_layer
from fairsplit.analysis.catalogue.own_models import Rows
from fairsplit.analysis.catalogue.yaml_source import read_regular
from fairsplit.orchestration.catalogue.columns import with_columns
from fairsplit.orchestration.catalogue.measure_checks import measure_faults
from fairsplit.orchestration.project import DBT_PROJECT_DIR, SETTINGS, catalog_dir, library, metrics_dir

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from fairsplit.analysis.errors import Problem


@dataclass(frozen=True, slots=True)
class Definitions:
    """What the user defined.

    Attributes:
        measures: Every sound measure of the semantic layer, by name.
        metrics: Every sound metric of the semantic layer, by name.
        catalogue: Project settings, experiments, flags, segments, and the problems of the broken ones.
        metric_problems: What is wrong with the others; the experiments that name them are broken, so that no
            other experiment is stopped by them.
        refused_metrics: For each metric that is not sound, what is wrong with it first.
    """

    measures: Mapping[str, Measure]
    metrics: Mapping[str, MetricDefinition]
    catalogue: Catalogue
    metric_problems: tuple[Problem, ...]
    refused_metrics: Mapping[str, Problem]


def read_definitions(
    catalog: Path | None = None, dbt: Path | None = None, taken: tuple[str, ...] | None = None
) -> Definitions:
    """Read the catalogue and the semantic layer from disk.

    Args:
        catalog: The catalogue's folder; the environment's by default.
        dbt: The dbt project with the metrics; the environment's by default.
        taken: Shipped metrics beside those of `dbt`; those that the project names by default.

    Raises:
        CatalogueError: `project.yaml` is missing or wrong; a broken experiment is reported, not raised.
    """
    folder = catalog or catalog_dir()
    layer = read_metrics_that_bind(dbt or metrics_dir(), folder, taken)
    catalogue = load_catalogue(folder, layer.metrics, layer.refused)
    return Definitions(layer.measures, layer.metrics, catalogue, layer.problems, layer.refused)


def read_metrics_that_bind(
    dbt_project_dir: Path, catalog: Path | None = None, taken: tuple[str, ...] | None = None
) -> SemanticLayer:
    """The semantic layer without the measures and metrics whose SQL the warehouse would not understand.

    Args:
        dbt_project_dir: The dbt project with the metrics.
        catalog: The catalogue's folder, whose sources give the rows of a team's own models; none give any without it.
        taken: As of `read_definitions`.
    """
    own = dbt_project_dir != DBT_PROJECT_DIR
    if taken is None:
        taken = library() if own else ()
    layer = read_semantic_layer(
        dbt_project_dir,
        Library(DBT_PROJECT_DIR, taken, f"{SETTINGS} library") if taken else None,
        Rows(load_sources(catalog), with_columns) if own and catalog else None,
    )
    faults = measure_faults(layer.measures)
    unbound = {
        name: next(faults[measure] for measure in metric.measures if measure in faults)
        for name, metric in layer.metrics.items()
        if faults.keys() & set(metric.measures)
    }
    return SemanticLayer(
        {name: measure for name, measure in layer.measures.items() if name not in faults},
        {name: metric for name, metric in layer.metrics.items() if name not in unbound},
        (*layer.problems, *dict.fromkeys(faults.values())),
        {**layer.refused, **unbound},
    )


def definition_files(catalog: Path) -> dict[str, bytes]:
    """The content of every definition by its path in the catalogue; empty where it cannot be read."""
    files = {}
    for path in sorted(catalog.rglob("*.yaml")):
        try:
            files[path.relative_to(catalog).as_posix()] = read_regular(path)
        except OSError:
            files[path.relative_to(catalog).as_posix()] = b""
    return files
