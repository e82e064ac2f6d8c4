from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def data_dir(shared_dir: Path) -> Path:
    return shared_dir / "data"


@pytest.fixture(scope="session")
def reference(data_dir: Path) -> dict:
    """Counts, rates, p-values and intervals that SciPy and statsmodels gave, straight from the files."""
    return json.loads((data_dir / "reference_figures.json").read_text())
