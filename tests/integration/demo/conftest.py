"""Homes that the commands fill, shared by the tests of this folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.built import built
from tests.command import fairsplit

if TYPE_CHECKING:
    from pathlib import Path


def four_days(home: Path) -> None:
    fairsplit(home, "simulate", "--users", "200", "--days", "4", "--output", str(home))
    fairsplit(home, "run")


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """The demo world with 200 users and four days, published, in a copy to be spoilt."""
    return built(tmp_path / "home", four_days)
