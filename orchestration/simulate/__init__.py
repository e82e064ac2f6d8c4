"""A seeded demo world with known truth: landed files in, ``truth.json`` beside them."""

from fairsplit.orchestration.simulate.world import (
    DEFAULT_DAYS,
    DEFAULT_USERS,
    QUICK_DAYS,
    QUICK_USERS,
    SimulatedWorld,
    simulate,
)

__all__ = ["DEFAULT_DAYS", "DEFAULT_USERS", "QUICK_DAYS", "QUICK_USERS", "SimulatedWorld", "simulate"]
