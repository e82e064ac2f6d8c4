"""Whole runs of the command: killed anywhere and run again, or day by day, the tables are those of one calm run."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from datetime import date, timedelta
from pathlib import Path

import pytest
from tests.command import fairsplit
from tests.oracle.homes import table_hashes

pytestmark = [pytest.mark.fault, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
FIRST, LAST = "2026-01-05", "2026-01-10"
WHOLE_WORLD = [str(date(2026, 1, 5) + timedelta(days=number)) for number in range(28)]


def start(home: Path, *arguments: str) -> subprocess.Popen[str]:
    """The command in a process group of its own, so that a kill takes dbt's process too."""
    return subprocess.Popen(
        [sys.executable, "-c", "from fairsplit.orchestration.cli import main; main()", *arguments],
        cwd=ROOT,
        env={**os.environ, "FAIRSPLIT_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def simulated(folder: Path, days: int = 6) -> Path:
    fairsplit(folder, "simulate", "--users", "300", "--days", str(days), "--output", str(folder))
    return folder


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], float]:
    """Hashes of an undisturbed home, and the seconds that its run took."""
    home = simulated(tmp_path_factory.mktemp("calm"))
    begun = time.monotonic()
    fairsplit(home, "backfill", FIRST, LAST)
    return table_hashes(home / "warehouse.duckdb"), time.monotonic() - begun


def test_one_backfill_of_28_days_equals_28_runs_of_a_day(tmp_path: Path) -> None:
    at_once, by_day = (simulated(tmp_path / name, len(WHOLE_WORLD)) for name in ("at once", "by day"))
    fairsplit(at_once, "backfill", WHOLE_WORLD[0], WHOLE_WORLD[-1])
    for day in WHOLE_WORLD:
        fairsplit(by_day, "backfill", day, day)
    assert table_hashes(by_day / "warehouse.duckdb") == table_hashes(at_once / "warehouse.duckdb")


@pytest.mark.parametrize("seed", range(25))
def test_a_killed_run_goes_on_to_the_same_tables(seed: int, calm, tmp_path: Path) -> None:
    expected, seconds = calm
    home = simulated(tmp_path)
    process = start(home, "backfill", FIRST, LAST)
    # Times are spread evenly over the run, so that every step is met.
    time.sleep(seconds * (seed + random.Random(seed).random()) / 25)  # noqa: S311
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    fairsplit(home, "backfill", FIRST, LAST)
    assert table_hashes(home / "warehouse.duckdb") == expected
