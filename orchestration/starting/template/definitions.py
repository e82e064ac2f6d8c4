"""What Dagster loads: `dagster dev -m definitions`, or merged into a code location of your own."""

from fairsplit.orchestration.definitions import defs

__all__ = ["defs"]
