"""Landed files to the lake: manifest, quarantine, credit, retractions and the outbox of work still owed."""

from orchestration.ingest.findings import Finding, landing_findings
from orchestration.ingest.ingest import IngestReport, ingest_landing
from orchestration.ingest.lake import open_landing
from orchestration.ingest.settings import IngestSettings

__all__ = ["Finding", "IngestReport", "IngestSettings", "ingest_landing", "landing_findings", "open_landing"]
