"""Imports every command module, which registers its commands on the application."""

from orchestration.cli import export, pipeline, serve, simulate, validate

__all__ = ["export", "pipeline", "serve", "simulate", "validate"]
