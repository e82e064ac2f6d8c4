"""One small home for all tests of this folder: built, published, and built again with a late file."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import pytest
from tests.built import built
from tests.oracle.homes import DrivenHome
from tests.oracle.worlds import EXPERIMENTS, LAST_DAY, make_events, split

from fairsplit.orchestration.publishing.ledger import record_publication
from fairsplit.orchestration.warehouse.opening import writer

if TYPE_CHECKING:
    from pathlib import Path


def published_and_late(folder: Path) -> None:
    """Built from all files but the last, published, then built again with the late one."""
    made = DrivenHome(folder, EXPERIMENTS)
    *early, late = split(3, make_events(3))
    for file in early:
        made.land(file)
    made.ingest()
    made.build(LAST_DAY)
    made.judge()
    with writer(made.home.warehouse) as connection:
        record_publication(connection, made.catalog, datetime(2026, 1, 15, 6), "v1", "s1")  # noqa: DTZ001
    made.land(late)
    made.ingest()
    made.build(LAST_DAY)
    made.judge()


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> DrivenHome:
    return DrivenHome(built(tmp_path_factory.mktemp("reading") / "home", published_and_late), EXPERIMENTS)
