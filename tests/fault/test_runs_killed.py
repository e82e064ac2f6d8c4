"""Whole runs of the command: killed anywhere and run again, or day by day, the tables are those of one calm run."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.oracle.homes import table_hashes

pytestmark = [pytest.mark.fault, pytest.mark.slow, pytest.mark.xdist_group("warehouse")]

ROOT = Path(__file__).resolve().parents[2]
FIRST, LAST = "2026-01-05", "2026-01-10"
DAYS = [f"2026-01-{day:02}" for day in range(5, 11)]


def start(home: Path, *arguments: str) -> subprocess.Popen[str]:
    """The command in a process group of its own, so that a kill takes dbt's process too."""
    return subprocess.Popen(
        [sys.executable, "-c", "from orchestration.cli import main; main()", *arguments],
        cwd=ROOT,
        env={**os.environ, "FAIRSPLIT_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def finish(home: Path, *arguments: str) -> None:
    process = start(home, *arguments)
    output, _ = process.communicate()
    assert process.returncode == 0, output[-4000:]


def simulated(folder: Path) -> Path:
    finish(folder, "simulate", "--users", "300", "--days", "6", "--output", str(folder))
    return folder


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], float]:
    """Hashes of an undisturbed home, and the seconds that its run took."""
    home = simulated(tmp_path_factory.mktemp("calm"))
    begun = time.monotonic()
    finish(home, "backfill", FIRST, LAST)
    return table_hashes(home / "warehouse.duckdb"), time.monotonic() - begun


def test_one_backfill_equals_a_run_for_each_day(calm, tmp_path: Path) -> None:
    home = simulated(tmp_path)
    for day in DAYS:
        finish(home, "backfill", day, day)
    assert table_hashes(home / "warehouse.duckdb") == calm[0]


@pytest.mark.parametrize("seed", range(25))
def test_a_killed_run_goes_on_to_the_same_tables(seed: int, calm, tmp_path: Path) -> None:
    expected, seconds = calm
    home = simulated(tmp_path)
    process = start(home, "backfill", FIRST, LAST)
    # Times are spread evenly over the run, so that every step is met.
    time.sleep(seconds * (seed + random.Random(seed).random()) / 25)  # noqa: S311
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    finish(home, "backfill", FIRST, LAST)
    assert table_hashes(home / "warehouse.duckdb") == expected
