"""Quality of what landed: a profile of each event day, expectations on it, and the conservation of rows."""

from fairsplit.orchestration.quality.conservation import conservation_problems
from fairsplit.orchestration.quality.expectations import Finding, QualityReport, validate_days
from fairsplit.orchestration.quality.profile import profile_days, quarantine_samples

__all__ = [
    "Finding",
    "QualityReport",
    "conservation_problems",
    "profile_days",
    "quarantine_samples",
    "validate_days",
]
