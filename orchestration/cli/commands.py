"""Imports every command module, which registers its commands on the application."""

from fairsplit.orchestration.cli import (
    analyze,
    assign,
    erase,
    experiment,
    export,
    new,
    pipeline,
    plan,
    prune,
    results,
    segments,
    serve,
    simulate,
    start,
    status,
    validate,
)

__all__ = [
    "analyze",
    "assign",
    "erase",
    "experiment",
    "export",
    "new",
    "pipeline",
    "plan",
    "prune",
    "results",
    "segments",
    "serve",
    "simulate",
    "start",
    "status",
    "validate",
]
