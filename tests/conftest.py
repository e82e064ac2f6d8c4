from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from fairsplit.analysis.parts.installed import installed
from tests.parts import install_example
from tests.warehouses import Ask, duckdb_warehouse, spark_warehouse

# Speed is the benchmarks' matter; on a busy machine a deadline only says that it is busy.
settings.register_profile("fairsplit", deadline=None)
settings.load_profile("fairsplit")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """The folder with real data and truth cases; tests that need it skip where it is absent."""
    path = Path(os.environ.get("FAIRSPLIT_SHARED", ROOT.parent / "shared"))
    if not path.is_dir():
        pytest.skip(f"no shared data folder at {path}")
    return path


@pytest.fixture(scope="session")
def duckdb_says() -> Iterator[Ask]:
    with duckdb_warehouse() as ask:
        yield ask


@pytest.fixture(scope="session")
def spark_says() -> Iterator[Ask]:
    with spark_warehouse() as ask:
        yield ask


@pytest.fixture
def example_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The example distribution of custom parts is installed."""
    install_example(tmp_path / "example-parts", monkeypatch)
    yield
    installed.cache_clear()
