"""A run in a home without events says so, and prints no path of a page that is not there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.command import fairsplit

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.integration


def test_nothing_landed_is_nothing_published(tmp_path: Path) -> None:
    """Case path-of-a-site-that-is-not-there."""
    assert fairsplit(tmp_path / "home", "run") == ""
    said = fairsplit(tmp_path / "home", "status")
    assert "published    nothing yet" in said
    assert "landed       0 files" in said
