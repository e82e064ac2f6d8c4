"""Results in a team's own warehouse: what is judged here, written there, as often as one likes."""

from fairsplit.orchestration.publishing.warehouses.writing import Written, write_results

__all__ = ["Written", "write_results"]
