"""Landed files to the lake: manifest, quarantine, credit, retractions and the outbox of work still owed."""

from fairsplit.orchestration.landing.findings import Finding, landing_findings
from fairsplit.orchestration.landing.ingest import IngestReport, ingest_landing
from fairsplit.orchestration.landing.lake import open_landing
from fairsplit.orchestration.landing.settings import IngestSettings

__all__ = ["Finding", "IngestReport", "IngestSettings", "ingest_landing", "landing_findings", "open_landing"]
