"""The Udacity log straight from its compressed CSV: every count against Python's csv module."""

from __future__ import annotations

import csv
import gzip
import shutil
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import duckdb
import pytest

from fairsplit.analysis.catalogue.sources import Source
from fairsplit.orchestration.landing import IngestSettings, ingest_landing
from fairsplit.orchestration.quality import conservation_problems

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.data
MAPPING = Source.model_validate(
    {
        "id": "ab_data",
        "files": "ab_data.csv.gz",
        "timezone": "UTC",
        "columns": {
            "event_id": {"columns": ["user_id", "timestamp"]},
            "user_id": "user_id",
            "occurred_at": "timestamp",
        },
        "events": [
            {"name": "experiment_viewed", "suffix": ":v", "columns": {"variation_id": "group"}},
            {"name": "conversion", "suffix": ":c", "when": {"column": "converted", "equals": 1}},
        ],
    }
)


def test_every_visit_of_the_log_becomes_its_events(shared_dir: Path, tmp_path: Path) -> None:
    log = shared_dir / "data" / "udacity_ab_data" / "ab_data.csv.gz"
    (tmp_path / "landing").mkdir()
    shutil.copyfile(log, tmp_path / "landing" / log.name)
    with gzip.open(log, "rt", newline="") as file:
        rows = list(csv.DictReader(file))
    by_day = Counter(row["timestamp"][:10] for row in rows)
    arms = Counter(row["group"] for row in rows)

    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
        now = datetime.now(UTC) + timedelta(minutes=1)
        ingest_landing(tmp_path, connection, IngestSettings(first_day=date(2017, 1, 1)), [MAPPING], now)
        viewed = "from landing.raw_events where event_name = 'experiment_viewed'"
        days = connection.execute(f"select event_day::varchar, count(*) {viewed} group by 1").fetchall()
        found = connection.execute(f"select variation_id, count(*) {viewed} group by 1").fetchall()
        converted = connection.execute(
            "select count(*) from landing.raw_events where event_name = 'conversion'"
        ).fetchall()
        assert conservation_problems(connection) == []

    assert len(rows) == 294_478
    assert dict(days) == by_day
    assert dict(found) == arms
    assert converted == [(sum(row["converted"] == "1" for row in rows),)]
