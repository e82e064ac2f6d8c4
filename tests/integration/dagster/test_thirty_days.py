"""Thirty days that nobody looks after: what lands is published the next morning, whatever goes wrong meanwhile."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from tests.command import fairsplit
from tests.oracle.homes import table_hashes

from fairsplit.orchestration.project import PROJECT_ROOT

pytestmark = [pytest.mark.integration, pytest.mark.slow]

FIRST = date(2026, 1, 5)
DAYS = 30
ONE_DAY = timedelta(days=1)
MISSING = FIRST + 9 * ONE_DAY
"""Its files come a day late."""
FAILS_TWICE = FIRST + 13 * ONE_DAY
FAILS_FOR_TWO_NIGHTS = FIRST + 17 * ONE_DAY
KILLED = FIRST + 21 * ONE_DAY
EDITED = FIRST + 24 * ONE_DAY
ATTEMPTS = 3
"""Of a step, before its run has failed."""


def day_of_events(day: date, rng: random.Random) -> list[str]:
    """New users and old ones: exposures, pages, purchases."""
    lines = []
    number = (day - FIRST).days

    def event(hour: int, user: str, name: str, **more: object) -> None:
        at = f"{day}T{hour:02}:{rng.randrange(60):02}:{rng.randrange(60):02}Z"
        one = {"event_id": f"{day}-{len(lines)}", "event_name": name, "user_id": user, "occurred_at": at}
        lines.append(json.dumps(one | more))

    for one in range(12):
        user = f"u{number}-{one}"
        arm = rng.choice("ab")
        seen = {"experiment_id": "platform_check", "variation_id": arm, "country": "US", "platform": "web"}
        event(rng.randrange(8), user, "experiment_viewed", **seen)
        event(8 + rng.randrange(16), user, "page_view")
    for _ in range(number * 2):
        user = f"u{rng.randrange(number)}-{rng.randrange(12)}"
        event(rng.randrange(24), user, "purchase", value=rng.randrange(1, 9_000) / 100)
    return lines


def plan(rng: random.Random, catalog: Path) -> list[tuple[str, str, object]]:
    """Steps in order of their instants; see `operating.py`."""
    steps: list[tuple[datetime, str, object]] = []

    def at(day: date, hour: float, what: str, value: object = None) -> None:
        steps.append((datetime.combine(day, datetime.min.time()) + timedelta(hours=hour), what, value))

    for number in range(DAYS):
        day = FIRST + number * ONE_DAY
        lines = day_of_events(day, rng)
        cut = rng.randrange(len(lines))
        # Its first file comes while the day still runs or soon after; the second after it, now and then after 01:30.
        early, late = rng.choice(((11.2, 0.02), (17.73, 0.02), (17.73, 0.7), (23.9, 1.4), (24.3, 4.8)))
        comes = day + ONE_DAY
        if day == MISSING:
            early, comes = 48.5, day + 2 * ONE_DAY
        at(day, early, "drop", [f"{day}-early.ndjson", "\n".join(sorted(lines[:cut])) + "\n"])
        at(comes, late, "drop", [f"{day}-late.ndjson", "\n".join(lines[cut:]) + "\n"])
        if number % 6 == 4:
            # Rows that were forgotten, some days on: a purchase of an old day.
            forgotten = {
                "event_id": f"forgotten-{day}", "event_name": "purchase", "user_id": "u0-0", "value": 5,
                "occurred_at": f"{max(FIRST, day - 4 * ONE_DAY)}T23:00:00Z",
            }  # fmt: skip
            at(day, 13.0, "drop", [f"{day}-forgotten.ndjson", json.dumps(forgotten) + "\n"])
        at(day + ONE_DAY, 0.05, "look")
        at(day + ONE_DAY, 1.5, "night")
        for hour in (1.55, 5.0, *((18.0,) if number % 6 == 1 else ())):
            at(day + ONE_DAY, hour, "look")
        at(day + ONE_DAY, 6.0, "morning")
    at(FAILS_TWICE + ONE_DAY, 0.0, "fail", 2)
    at(FAILS_FOR_TWO_NIGHTS + ONE_DAY, 0.0, "fail", 1_000)
    at(FAILS_FOR_TWO_NIGHTS + 2 * ONE_DAY, 12.0, "fail", 0)
    at(KILLED + ONE_DAY, 0.0, "kill")
    definition = catalog / "experiments" / "platform_check.yaml"
    edited = definition.read_text().replace("secondary: [", "secondary: [purchases_per_user, ")
    at(EDITED + ONE_DAY, 10.0, "edit", ["experiments/platform_check.yaml", edited])
    return [(at.isoformat(), what, value) for at, what, value in sorted(steps, key=lambda step: step[0])]


def test_thirty_days_are_published_each_on_the_morning_after(tmp_path: Path) -> None:
    """Cases nightly-asks-the-unfinished-day, one-landing-one-run, sensor-forgets-a-file."""
    catalog = tmp_path / "catalog"
    (catalog / "experiments").mkdir(parents=True)
    (catalog / "project.yaml").write_text(f"first_day: {FIRST}\n")
    shutil.copy(PROJECT_ROOT / "catalog" / "experiments" / "platform_check.yaml", catalog / "experiments")
    home = tmp_path / "home"
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("operating.py"))],
        cwd=PROJECT_ROOT,
        env={
            **os.environ,
            "FAIRSPLIT_HOME": str(home),
            "FAIRSPLIT_CATALOG": str(catalog),
        },
        input=json.dumps(plan(random.Random(15), catalog)),  # noqa: S311
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-6000:]
    mornings = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert len(mornings) == DAYS
    for number, morning in enumerate(mornings):
        day = FIRST + number * ONE_DAY
        incidents = sum(day >= begun for begun in (MISSING, FAILS_FOR_TWO_NIGHTS, KILLED))
        assert len(morning["alerts"]) == incidents, morning
        waits = day == MISSING or day in {FAILS_FOR_TWO_NIGHTS, FAILS_FOR_TWO_NIGHTS + ONE_DAY}
        if not waits:
            assert morning["shown"] == str(day), morning
    # One calm build of what landed gives the same tables, to the byte.
    calm = tmp_path / "calm"
    shutil.copytree(home / "landing", calm / "landing")
    fairsplit(calm, "run", catalog=catalog)
    assert table_hashes(calm / "warehouse.duckdb") == table_hashes(home / "warehouse.duckdb")
