"""The nightly schedule at ten instants: what it asks for is executed, and every day asked for is over."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from fairsplit.orchestration.project import PROJECT_ROOT

pytestmark = [pytest.mark.integration, pytest.mark.slow]


def events(day: str, *hours: int) -> str:
    """An exposure at each hour of a day."""
    return "".join(
        json.dumps(
            {
                "event_id": f"{day}-{hour}", "event_name": "experiment_viewed", "user_id": f"u-{day}-{hour}",
                "occurred_at": f"{day}T{hour:02}:00:00Z", "experiment_id": "platform_check", "variation_id": "a",
            }
        )
        + "\n"
        for hour in hours
    )  # fmt: skip


STEPS = [
    # Instant of the tick, files that lie there by then, range asked for, alerts so far.
    ("2026-01-05T01:30", [], None, 0),
    ("2026-01-06T01:30", [("a", "2026-01-06T00:40", events("2026-01-05", 9))], ("05", "05"), 0),
    ("2026-01-06T13:00", [], None, 0),
    # The file of the sixth has not come: one alert, however often one looks.
    ("2026-01-07T01:30", [], None, 1),
    ("2026-01-07T12:00", [], None, 1),
    (
        "2026-01-08T01:30",
        [
            ("b", "2026-01-08T00:40", events("2026-01-06", 9)),
            ("c", "2026-01-08T00:41", events("2026-01-07", 9)),
        ],
        ("06", "07"),
        1,
    ),
    ("2026-01-09T01:30", [("d", "2026-01-09T00:40", events("2026-01-08", 9))], ("08", "08"), 1),
    # Late rows are worked off by a run of the newest day.
    ("2026-01-09T02:30", [("e", "2026-01-09T02:00", events("2026-01-06", 3))], ("08", "08"), 1),
    # A file that holds the first hour of the running day too.
    (
        "2026-01-10T01:30",
        [("f", "2026-01-10T01:10", events("2026-01-09", 9) + events("2026-01-10", 0))],
        ("09", "09"),
        1,
    ),
    # It arrived before the tenth was over.
    ("2026-01-11T01:30", [("g", "2026-01-10T23:50", events("2026-01-10", 9))], ("09", "09"), 1),
]


def test_ten_nights_ask_for_days_that_are_over(tmp_path: Path) -> None:
    """Case nightly-asks-the-unfinished-day."""
    catalog = tmp_path / "catalog"
    (catalog / "experiments").mkdir(parents=True)
    # No first day is declared: it is that of the first event.
    settings = (PROJECT_ROOT / "catalog" / "project.yaml").read_text().splitlines()
    (catalog / "project.yaml").write_text("\n".join(line for line in settings if "first_day" not in line))
    shutil.copy(PROJECT_ROOT / "catalog" / "experiments" / "platform_check.yaml", catalog / "experiments")
    steps = [
        {"at": at, "files": [(f"{name}.ndjson", arrived, text) for name, arrived, text in files]}
        for at, files, _, _ in STEPS
    ]
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("nights.py"))],
        cwd=PROJECT_ROOT,
        env={
            **os.environ,
            "FAIRSPLIT_HOME": str(tmp_path / "home"),
            "FAIRSPLIT_CATALOG": str(catalog),
            "PYTHONPATH": str(PROJECT_ROOT / "src"),
        },
        input=json.dumps(steps),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    ticks = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    found = [(tick["at"], tick["asked"], tick["alerts"]) for tick in ticks]
    expected = [
        (at, [[f"2026-01-{day}" for day in asked]] if asked else [], alerts) for at, _, asked, alerts in STEPS
    ]
    assert found == expected
    with duckdb.connect(str(tmp_path / "home" / "warehouse.duckdb"), read_only=True) as connection:
        units = connection.execute("select count(*) from fct_exposures").fetchall()[0][0]
    assert units == 6
