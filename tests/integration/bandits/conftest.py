"""A week of a bandit that runs by itself; each test goes on from there in a copy of its own."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from tests.oracle.bandit_world import Shop
from tests.oracle.worlds import FIRST_DAY

LAST_QUIET = date(2026, 1, 7)


@pytest.fixture(scope="session")
def week(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """Run day by day up to the day before the third update is due."""
    shop = Shop(tmp_path_factory.mktemp("bandit"))
    for number in range((LAST_QUIET - FIRST_DAY).days + 1):
        shop.day(FIRST_DAY + timedelta(days=number))
    return shop
