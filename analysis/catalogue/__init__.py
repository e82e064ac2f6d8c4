"""The user's definitions: strict models, checks with file and line, hashes, tables for SQL."""

from fairsplit.analysis.catalogue.compiled import compile_tables
from fairsplit.analysis.catalogue.experiment import Experiment
from fairsplit.analysis.catalogue.flags import Flag, Segment
from fairsplit.analysis.catalogue.hashing import experiment_hash, result_hash
from fairsplit.analysis.catalogue.loading import (
    Catalogue,
    CatalogueError,
    ValidationReport,
    load_catalogue,
    validate_catalogue,
)
from fairsplit.analysis.catalogue.metrics import MetricDefinition, load_metrics
from fairsplit.analysis.catalogue.project import Project
from fairsplit.analysis.catalogue.schema import json_schemas, write_schemas

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
