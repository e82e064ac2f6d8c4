"""Errors of this room that a user can mend."""

from __future__ import annotations

from fairsplit.analysis.errors import FairsplitError


class OrchestrationError(FairsplitError):
    """Base of the errors that `orchestration` raises."""


class IngestError(OrchestrationError):
    """The landing folder, a source or the lake does not allow an ingest."""
