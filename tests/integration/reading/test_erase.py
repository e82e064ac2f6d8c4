"""Erasure: the person is gone everywhere, and the warehouse equals a rebuild that never took them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import pytest
from tests.oracle.homes import DERIVED, DrivenHome
from tests.oracle.worlds import EXPERIMENTS, LAST_DAY, MIDNIGHT, LandedFile, make_events, split

from fairsplit.orchestration.landing.erasing import erase, find
from fairsplit.orchestration.landing.lake import open_landing
from fairsplit.orchestration.quality import conservation_problems
from fairsplit.orchestration.warehouse.opening import reader, writer

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.integration

WHEN = datetime(2026, 2, 1)  # noqa: DTZ001


def mentions(home: DrivenHome, unit: str) -> list[str]:
    """Tables with a cell that is the id or has it as a word in text."""
    return [
        table
        for table in DERIVED
        if any(f"'{unit}'" in repr(row) or f'"{unit}"' in repr(row) for row in home.query(f"from {table}"))
    ]


@pytest.mark.parametrize("seed", [5, pytest.param(8, marks=pytest.mark.slow)])
def test_erased_equals_a_rebuild_that_left_the_person_out(tmp_path: Path, seed: int) -> None:
    refused = '{"event_id": "odd", "event_name": "click", "user_id": "u3", "occurred_at": "never"}\n'
    files = [LandedFile("refused.ndjson", refused, MIDNIGHT, ()), *split(seed, make_events(seed))]
    home = DrivenHome(tmp_path / "erased", EXPERIMENTS)
    for file in files[:-1]:
        home.land(file)
    home.ingest()
    home.build(LAST_DAY)
    lines = [line for (line,) in home.query("select raw_line from landing.quarantine")]
    with reader(home.home.warehouse) as connection:
        found = find(connection, home.home.root, "u3")
    with writer(home.home.warehouse) as connection:
        erased = erase(home.home.root, connection, "u3", WHEN)
        assert erased == found
        named = sum(any(f'"{one}"' in line for one in found.ids) for line in lines)
        assert erased.refused == named > 0
        assert erased.rows > erased.refused
        assert erase(home.home.root, connection, "nobody", WHEN).rows == 0
        erasures = connection.execute("from landing.erasures").fetchall()
    # A file that lands later holds the person too.
    home.land(files[-1])
    home.ingest()
    home.build(LAST_DAY)
    home.judge()

    fresh = DrivenHome(tmp_path / "fresh", EXPERIMENTS)
    with writer(fresh.home.warehouse) as connection:
        open_landing(connection, fresh.home.root)
        connection.executemany("insert into landing.erasures values (?, ?, ?, ?)", erasures)
    for file in files:
        fresh.land(file)
    fresh.ingest()
    fresh.build(LAST_DAY)
    fresh.judge()
    left, right = home.hashes(), fresh.hashes()
    assert {name for name in left if left[name] != right[name]} == set()

    assert mentions(home, "u4")
    assert mentions(home, "u3") == []
    with writer(home.home.warehouse) as connection:
        assert conservation_problems(connection) == []
        assert connection.execute(
            "select count(*) from landing.quarantine where reason = 'erased'"
        ).fetchall() > [(0,)]
