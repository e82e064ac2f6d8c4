"""A home that the commands fill, in a copy for each test of this folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.built import built
from tests.integration.demo.conftest import four_days

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """The demo world with 200 users and four days, published, in a copy to be spoilt."""
    return built(tmp_path / "home", four_days)
