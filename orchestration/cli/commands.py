"""Imports every command module, which registers its commands on the application."""

from orchestration.cli import (
    analyze,
    export,
    pipeline,
    results,
    serve,
    simulate,
    validate,
)

__all__ = [
    "analyze",
    "export",
    "pipeline",
    "results",
    "serve",
    "simulate",
    "validate",
]
