"""The user's catalogue and metrics as every step reads them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from analysis.catalogue import Catalogue, MetricDefinition, load_catalogue, load_metrics
from orchestration.paths import DBT_PROJECT_DIR, catalog_dir

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Definitions:
    """What the user defined.

    Attributes:
        metrics: Metrics of the semantic layer, by name.
        catalogue: Project settings, experiments, flags, segments, and the problems of the broken ones.
    """

    metrics: Mapping[str, MetricDefinition]
    catalogue: Catalogue


def read_definitions() -> Definitions:
    """Read the catalogue and the semantic layer from disk.

    Raises:
        CatalogueError: `project.yaml` is missing or wrong; a broken experiment is reported, not raised.
    """
    metrics = load_metrics(DBT_PROJECT_DIR)
    return Definitions(metrics, load_catalogue(catalog_dir(), metrics))
