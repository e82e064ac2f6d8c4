"""The user's definitions: strict models, checks with file and line, hashes, tables for SQL."""

from analysis.catalogue.compiled import compile_tables
from analysis.catalogue.experiment import Experiment
from analysis.catalogue.flags import Flag, Segment
from analysis.catalogue.hashing import experiment_hash, result_hash
from analysis.catalogue.loading import (
    Catalogue,
    CatalogueError,
    ValidationReport,
    load_catalogue,
    validate_catalogue,
)
from analysis.catalogue.metrics import MetricDefinition, load_metrics
from analysis.catalogue.project import Project
from analysis.catalogue.schema import json_schemas, write_schemas

__all__ = [
    "Catalogue",
    "CatalogueError",
    "Experiment",
    "Flag",
    "MetricDefinition",
    "Project",
    "Segment",
    "ValidationReport",
    "compile_tables",
    "experiment_hash",
    "json_schemas",
    "load_catalogue",
    "load_metrics",
    "result_hash",
    "validate_catalogue",
    "write_schemas",
]
