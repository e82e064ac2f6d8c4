"""Imports every command module, which registers its commands on the application."""

from orchestration.cli import pipeline, serve, simulate, validate

__all__ = ["pipeline", "serve", "simulate", "validate"]
