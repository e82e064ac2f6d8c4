"""Imports every command module, which registers its commands on the application."""

from orchestration.cli import pipeline, serve, validate

__all__ = ["pipeline", "serve", "validate"]
