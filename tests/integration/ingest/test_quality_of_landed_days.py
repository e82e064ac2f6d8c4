from __future__ import annotations

import json
import os
import re
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import duckdb
import pytest

from fairsplit.orchestration.landing import IngestSettings, ingest_landing
from fairsplit.orchestration.quality import (
    conservation_problems,
    profile_days,
    quarantine_samples,
    validate_days,
)

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SETTINGS = IngestSettings(first_day=date(2026, 1, 1))
THROUGH = date(2026, 1, 31)


def land(home: Path, name: str, rows: list[dict | str], arrived: datetime) -> None:
    path = home / "landing" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    os.utime(path, (arrived.timestamp(), arrived.timestamp()))


def event(event_id: str, at: str, **more: object) -> dict:
    return {"event_id": event_id, "event_name": "buy", "occurred_at": at, "user_id": "u1", **more}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    land(
        tmp_path,
        "one.ndjson",
        [
            event("a", "2026-01-01T10:00:00Z", value=2.5),
            event("b", "2026-01-01T11:00:00Z", user_id="u2"),
            event("b", "2026-01-01T11:00:00Z", user_id="u2"),
            event("c", "2026-01-02T00:00:00Z", user_id=None, event_name=None),
            "<script>alert(1)</script>",
        ],
        datetime(2026, 1, 2, 1, tzinfo=UTC),
    )
    return tmp_path


def test_profile_counts_by_hand_and_only_changed_days_again(home: Path) -> None:
    with duckdb.connect(str(home / "warehouse.duckdb")) as connection:
        ingest_landing(home, connection, SETTINGS, [], NOW)
        first = profile_days(connection, THROUGH)
        again = profile_days(connection, THROUGH)
        land(home, "late.ndjson", [event("d", "2026-01-02T05:00:00Z")], datetime(2026, 1, 9, tzinfo=UTC))
        ingest_landing(home, connection, SETTINGS, [], NOW)
        late = profile_days(connection, THROUGH)

    assert first.select(
        "event_day", "rows", "units", "share_with_value", "share_duplicate", "changed"
    ).rows() == [
        (date(2026, 1, 1), 2, 2, 0.5, 1 / 3, True),
        (date(2026, 1, 2), 1, 0, 0.0, 0.0, True),
    ]
    assert again["changed"].to_list() == [False, False]
    assert late.select("event_day", "rows", "share_late", "max_days_late", "changed").rows() == [
        (date(2026, 1, 1), 2, 0.0, 1, False),
        (date(2026, 1, 2), 2, 0.5, 7, True),
    ]


def test_expectations_tell_days_and_docs_work_offline_without_users_text(home: Path) -> None:
    with duckdb.connect(str(home / "warehouse.duckdb")) as connection:
        ingest_landing(home, connection, SETTINGS, [], NOW)
        samples = quarantine_samples(connection)
        report = validate_days(profile_days(connection, THROUGH), samples, home / "docs")

    assert samples.select("path", "line_number", "reason", "raw_line").rows() == [
        ("one.ndjson", 5, "unparseable", "<script>alert(1)</script>")
    ]
    assert report.blocking == ()
    failed = {finding.sentence: finding.failed for finding in report.warnings}
    assert failed["At most 1 % of a day's events have no name."] == ("2026-01-02",)
    assert failed["At most 10 % of a day's valid rows are duplicates."] == ("2026-01-01",)
    pages = [page.read_text() for page in report.docs.parent.rglob("*.html")]
    assert report.docs.exists()
    assert len(pages) >= 3
    assert not any("alert(1)" in page for page in pages)
    assert not any('src="http' in page or '<link rel="stylesheet" href="http' in page for page in pages)
    assert not any("<script" in page or re.search(r"url\(['\"]?http", page) for page in pages)
    index = report.docs.read_text()
    assert "<td>not met: 2026-01-02</td>" in index
    links = re.findall(r'<li><a href="([^"]+)"', index)
    assert len(links) == len(pages) - 1
    assert all((report.docs.parent / link).is_file() for link in links)


def test_conservation_holds_and_notices_what_was_changed_by_hand(home: Path) -> None:
    with duckdb.connect(str(home / "warehouse.duckdb")) as connection:
        ingest_landing(home, connection, SETTINGS, [], NOW)
        assert conservation_problems(connection) == []

        connection.execute("delete from landing.quarantine")
        assert [problem.what for problem in conservation_problems(connection)] == [
            "quarantine does not hold what was refused"
        ]
        connection.execute("update landing.manifest set rows_read = 9, rows_quarantined = 0")
        assert [problem.value for problem in conservation_problems(connection)] == [
            "read 9, accepted 3, duplicates 1, quarantined 0"
        ]
        connection.execute("update landing.manifest set rows_read = 4")
        next((home / "lake" / "event_day=2026-01-02").iterdir()).unlink()
        assert [problem.value for problem in conservation_problems(connection)] == ["credited 1, missing"]


def test_a_row_smuggled_into_the_lake_blocks(home: Path) -> None:
    with duckdb.connect(str(home / "warehouse.duckdb")) as connection:
        ingest_landing(home, connection, SETTINGS, [], NOW)
        path = next((home / "lake" / "event_day=2026-01-02").iterdir())
        copy = path.with_suffix(".copy")
        connection.execute(f"copy (from '{path}' union all from '{path}') to '{copy}' (format parquet)")
        copy.replace(path)
        report = validate_days(
            profile_days(connection, THROUGH), quarantine_samples(connection), home / "docs"
        )

    assert [(finding.sentence, finding.failed) for finding in report.blocking] == [
        ("No event id stands twice on a day.", ("2026-01-02",)),
        ("The lake holds the accepted rows of each day.", ("2026-01-02",)),
    ]
