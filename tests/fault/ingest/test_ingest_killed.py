"""An ingest killed anywhere and run again gives the same lake, accounts and quarantine as one left alone."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from fairsplit.orchestration.landing import IngestSettings, ingest_landing
from fairsplit.orchestration.quality import conservation_problems

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.fault
ARRIVED = datetime(2026, 2, 1, tzinfo=UTC)
NOW = datetime(2026, 3, 1, tzinfo=UTC)
CHILD = """
import sys
from datetime import UTC, date, datetime
from pathlib import Path
import duckdb
from fairsplit.orchestration.landing import IngestSettings, ingest, ingest_landing
ingest.BATCH_BYTES = 300_000
home = Path(sys.argv[1])
with duckdb.connect(str(home / "warehouse.duckdb"), config={"threads": 2}) as connection:
    print("ready", flush=True)
    ingest_landing(home, connection, IngestSettings(first_day=date(2026, 1, 1)), [], datetime(2026, 3, 1, tzinfo=UTC))
"""


def world(home: Path) -> None:
    """Eight files over ten days with duplicates, conflicts, retractions and broken lines, from a fixed seed."""
    draw = random.Random(5)  # noqa: S311
    (home / "landing").mkdir(parents=True)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for number in range(8):
        lines = []
        for _ in range(2_500):
            row: dict[str, Any] = {
                "event_id": f"e{draw.randrange(15_000)}",
                "event_name": "buy",
                "user_id": f"u{draw.randrange(300)}",
                "value": draw.randrange(3),
            }
            row["occurred_at"] = (start + timedelta(hours=int(row["event_id"][1:]) % 240)).isoformat()
            if draw.random() < 0.01:
                row["properties"] = {"retracts": f"e{draw.randrange(15_000)}"}
            lines.append("{broken" if draw.random() < 0.01 else json.dumps(row))
        path = home / "landing" / f"{number}.ndjson"
        path.write_text("\n".join(lines))
        os.utime(path, (ARRIVED.timestamp() + number, ARRIVED.timestamp() + number))


def export(home: Path) -> dict[str, list[tuple[Any, ...]]]:
    queries = {
        "events": "from landing.raw_events",
        "accounts": "from landing.file_accounts",
        "quarantine": "from landing.quarantine",
        "excluded": "from landing.excluded",
        "manifest": "from landing.manifest",
        "units": "select event_day, id_kind, raw_id from landing.touched_units group by all",
    }
    with duckdb.connect(str(home / "warehouse.duckdb")) as connection:
        assert conservation_problems(connection) == []
        return {
            name: connection.execute(f"select * from ({query}) order by all").fetchall()
            for name, query in queries.items()
        }


def listed(home: Path) -> set[str]:
    with duckdb.connect(str(home / "warehouse.duckdb")) as connection:
        return {path for (path,) in connection.execute("select path from landing.lake_files").fetchall()}


def test_sigkill_at_any_moment_then_rerun_gives_the_same(tmp_path: Path) -> None:
    world(tmp_path / "calm")
    began = time.monotonic()
    run_child(tmp_path / "calm", None)
    whole = time.monotonic() - began
    expected = export(tmp_path / "calm")
    draw = random.Random(11)  # noqa: S311
    kills = 0
    for attempt in range(4):
        home = tmp_path / f"killed{attempt}"
        world(home)
        # Two kills a world: the second one hits a run that already has something to clean up.
        for _ in range(2):
            kills += run_child(home, draw.uniform(0.0, whole * 0.8))
        run_child(home, None)
        assert export(home) == expected, f"world {attempt}"
        stand = {path.relative_to(home).as_posix() for path in (home / "lake").rglob("*.parquet")}
        assert stand == listed(home)
    assert kills >= 4, "too few children were killed while they worked"


def run_child(home: Path, kill_after: float | None) -> bool:
    """Whether the child was killed before it ended; the clock starts when it opened the warehouse."""
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, str(home)], stdout=subprocess.PIPE, start_new_session=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        try:
            code = child.wait(kill_after)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            return True
        assert code == 0
        return False


@pytest.mark.parametrize("point", ["move_to_lake", "count_rows", "replace_views", "commit"])
def test_a_failure_between_steps_leaves_nothing_half_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    from fairsplit.orchestration.landing import credit, ingest, lake_files  # noqa: PLC0415

    world(tmp_path / "calm")
    world(tmp_path / "home")
    settings = IngestSettings(first_day=date(2026, 1, 1))

    def fail(*_args: object, **_more: object) -> None:
        raise MemoryError(point)

    for name in ("calm", "home"):
        home = tmp_path / name
        with duckdb.connect(str(home / "warehouse.duckdb")) as connection:
            if name == "home":
                owner = {"replace_views": ingest, "commit": credit.Credit}.get(point, lake_files)
                with monkeypatch.context() as patch:
                    patch.setattr(owner, point, fail)
                    with pytest.raises(MemoryError, match=point):
                        ingest_landing(home, connection, settings, [], NOW)
                taken = connection.execute("select count(*) from landing.manifest").fetchall()
                assert taken == [(0,)]
            ingest_landing(home, connection, settings, [], NOW)
    assert export(tmp_path / "home") == export(tmp_path / "calm")
