"""Errors of this room: what cannot be bucketed, exported or published, and what to do about it."""

from __future__ import annotations

from fairsplit.analysis.errors import FairsplitError


class ExportError(FairsplitError):
    """An experiment, payload or exports folder that cannot be turned into a published version."""
