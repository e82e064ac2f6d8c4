"""Landed files are judged again where settings, a source or their time changed, as an empty home would judge them."""

from __future__ import annotations

import json
import os
import shutil
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from fairsplit.analysis.catalogue.sources import Source
from fairsplit.orchestration.landing import (
    IngestReport,
    IngestSettings,
    ingest_landing,
    landing_findings,
    rejudging,
)
from fairsplit.orchestration.quality import conservation_problems

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

ARRIVED = datetime(2026, 2, 1, tzinfo=UTC)
NOW = datetime(2026, 3, 1, tzinfo=UTC)
SETTINGS = IngestSettings(first_day=date(2026, 1, 6))
TABLES = {
    "events": "select * from landing.raw_events",
    "accounts": "select * exclude (position) from landing.file_accounts",
    "quarantine": "from landing.quarantine",
    "excluded": "from landing.excluded",
    "repeats": "from landing.repeats",
    "retractions": "from landing.retractions",
    "days": "from landing.days",
    "judgements": "from landing.judgements",
}


def event(event_id: str, at: str, **more: object) -> str:
    return (
        json.dumps({"event_id": event_id, "occurred_at": at, "event_name": "buy", "user_id": "u"} | more)
        + "\n"
    )


def land(home: Path, name: str, text: str, at: datetime = ARRIVED) -> None:
    path = home / "landing" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (at.timestamp(), at.timestamp()))


def ingest(
    home: Path, settings: IngestSettings, sources: Sequence[Source] = (), again: Sequence[str] = ()
) -> tuple[IngestReport, dict[str, list[Any]], list[str]]:
    """The report, what the tables hold, and the findings."""
    with duckdb.connect(str(home / "warehouse.duckdb"), config={"threads": 1}) as connection:
        if again:
            with connection.cursor() as cursor:
                rejudging.ask(cursor, again)
        report = ingest_landing(home, connection, settings, list(sources), NOW)
        assert conservation_problems(connection) == []
        stand = {path.relative_to(home).as_posix() for path in (home / "lake").rglob("*.parquet")}
        listed = connection.execute("select path from landing.lake_files").fetchall()
        assert stand == {path for (path,) in listed}
        tables = {
            name: connection.execute(f"select * from ({query}) order by all").fetchall()
            for name, query in TABLES.items()
        }
        findings = [str(finding) for finding in landing_findings(connection, 1.0)]
    return report, tables, findings


def rebuilt(home: Path, settings: IngestSettings, sources: Sequence[Source] = ()) -> dict[str, list[Any]]:
    """An empty home with the same landing folder."""
    other = home.parent / f"{home.name}-rebuilt"
    shutil.rmtree(other, ignore_errors=True)
    shutil.copytree(home / "landing", other / "landing")
    return ingest(other, settings, sources)[1]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Three files: conflicts and retractions across them, a late event and one of the future."""
    home = tmp_path / "home"
    days = {f"e{day}": f"2026-01-{day:02}T12:00:00Z" for day in range(1, 11)}
    land(home, "1.ndjson", "".join(event(key, at, value=1) for key, at in days.items()))
    later = [event(key, at, value=2) for key, at in days.items() if key not in {"e2", "e7"}]
    later += [event("r", "2026-01-03T00:00:00Z", properties={"retracts": "e9"})]
    land(home, "2.ndjson", "".join(later), ARRIVED + timedelta(seconds=1))
    ahead = event("f", "2026-02-01T00:30:00Z") + event("e7", "2026-01-07T12:00:00Z", value=1) + "{broken\n"
    land(home, "3.ndjson", ahead, ARRIVED + timedelta(seconds=2))
    return home


CHANGES = {
    "first_day earlier": IngestSettings(date(2026, 1, 1)),
    "first_day later": IngestSettings(date(2026, 1, 8)),
    "skew wider": IngestSettings(date(2026, 1, 6), timedelta(hours=1)),
    "both": IngestSettings(date(2026, 1, 2), timedelta(hours=1)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_changed_settings_judge_the_landed_files_again(home: Path, change: str) -> None:
    """Case settings-changed-after-landing: the same as in an empty home, there and back again."""
    first = ingest(home, SETTINGS)[1]
    changed = ingest(home, CHANGES[change])
    assert changed[1] == rebuilt(home, CHANGES[change])
    assert changed[1]["events"] != first["events"]
    assert changed[0].again
    assert ingest(home, CHANGES[change])[0] == IngestReport(), "judged once"
    assert ingest(home, SETTINGS)[1] == first


def test_only_files_that_the_change_can_matter_to_are_read_again(home: Path) -> None:
    ingest(home, SETTINGS)
    earlier = ingest(home, IngestSettings(date(2026, 1, 5)))[0]
    assert earlier.again == {"1.ndjson": "first_day changed", "2.ndjson": "first_day changed"}
    wider = ingest(home, IngestSettings(date(2026, 1, 5), timedelta(hours=1)))[0]
    assert wider.again == {"3.ndjson": "max_clock_skew changed"}
    assert wider.rows_read == 3


def mapped(**more: Any) -> Source:
    columns = {"event_id": "id", "occurred_at": "at", "event_name": "id"} | more.pop("columns", {})
    return Source.model_validate({"id": "shop", "files": "shop*.csv", "columns": columns} | more)


SHOP = "id,at,who,amount\na,2026-01-07 00:30:00,ann,1\nb,2026-01-08 12:00:00,bob,2\n"


@pytest.mark.parametrize(
    "after",
    [
        mapped(timezone="America/New_York"),
        mapped(timezone="Europe/Berlin", columns={"user_id": "who", "value": "amount"}),
        mapped(timezone="Europe/Berlin", when={"column": "amount", "above": 1}),
        mapped(timezone="Europe/Berlin", properties="*"),
    ],
)
def test_a_changed_source_judges_its_files_again(home: Path, after: Source) -> None:
    """Case settings-changed-after-landing, varied: the zone, the mapping, conditions and properties of a source."""
    land(home, "shop.csv", SHOP)
    before = mapped(timezone="Europe/Berlin")
    assert ingest(home, SETTINGS, [before])[0].again == {}
    same = mapped(timezone="Europe/Berlin", description="said otherwise")
    assert ingest(home, SETTINGS, [same])[0] == IngestReport()
    report, tables, _ = ingest(home, SETTINGS, [after])
    assert report.again == {"shop.csv": "its source changed"}
    assert tables == rebuilt(home, SETTINGS, [after])


def test_a_source_that_is_gone_or_a_file_that_is_gone_takes_nothing_away(home: Path) -> None:
    """Absence deletes nothing: the rows stay, and a file that ought to be judged again is named."""
    land(home, "shop.csv", SHOP)
    source = mapped(timezone="Europe/Berlin")
    first = ingest(home, SETTINGS, [source])[1]
    assert ingest(home, SETTINGS)[1] == first, "its definition may be broken"
    (home / "landing" / "shop.csv").unlink()
    report, tables, findings = ingest(home, SETTINGS, [mapped(timezone="America/New_York")])
    assert (report.again, tables) == ({}, first)
    assert [
        text for text in findings if text.startswith("shop.csv: its source changed, and it cannot be judged")
    ]
    land(home, "shop.csv", SHOP)
    assert ingest(home, SETTINGS, [mapped(timezone="America/New_York")])[0].again == {
        "shop.csv": "its source changed"
    }


def test_a_mapping_that_no_longer_fits_leaves_the_rows_and_is_named(home: Path) -> None:
    land(home, "shop.csv", SHOP)
    first = ingest(home, SETTINGS, [mapped(timezone="Europe/Berlin")])[1]
    _, tables, findings = ingest(home, SETTINGS, [mapped(timezone="Europe/Berlin", format="parquet")])
    assert tables == first
    assert [
        text for text in findings if text.startswith("shop.csv: cannot be judged again (its source changed)")
    ]


@pytest.mark.parametrize("name", ["wrong.ndjson", "elsewhere/renamed.ndjson"])
def test_a_file_with_a_wrong_time_is_taken_again_when_asked(home: Path, name: str) -> None:
    """Case file-time-wrong: the time is corrected, the file renamed or packed, and its rows are accepted."""
    text = event("w", "2026-01-07T00:00:00Z") + event("e8", "2026-01-08T12:00:00Z", value=0)
    land(home, "wrong.ndjson", text, datetime(1970, 1, 1, tzinfo=UTC))
    _, tables, findings = ingest(home, SETTINGS)
    assert not [row for row in tables["events"] if row[0] == "w"]
    assert "wrong.ndjson: all 2 rows are in quarantine, most as future" in findings[0]
    (home / "landing" / "wrong.ndjson").unlink()
    land(home, name, text, ARRIVED + timedelta(hours=1))
    same = ingest(home, SETTINGS)[1]
    assert same["events"] == tables["events"], "a touched file alone changes nothing: the record counts"

    report, tables, findings = ingest(home, SETTINGS, again=[name])

    assert report.again == {name: "asked for"}
    assert [row[0] for row in tables["events"] if row[0] == "w"] == ["w"]
    assert (tables, findings) == (rebuilt(home, SETTINGS), [])
    assert ingest(home, SETTINGS)[0] == IngestReport()


def test_what_did_not_change_owes_no_work(home: Path) -> None:
    """The outbox names the rows that came or went, not all rows of the files that were read again."""
    ingest(home, SETTINGS)
    position = "select max(position) from landing.manifest"
    with duckdb.connect(str(home / "warehouse.duckdb")) as connection:
        before = connection.execute(position).fetchall()[0][0]
    ingest(home, IngestSettings(date(2026, 1, 5)))
    with duckdb.connect(str(home / "warehouse.duckdb")) as connection:
        touched = connection.execute(
            "select distinct event_day from landing.touched_units where batch > ? order by 1", [before]
        ).fetchall()
    assert touched == [(date(2026, 1, 5),)]


def test_a_seal_does_not_shut_out_what_was_taken_before_it(home: Path) -> None:
    ingest(home, SETTINGS)
    with duckdb.connect(str(home / "warehouse.duckdb")) as connection:
        connection.execute(
            "insert into landing.seals select date '2026-01-07', max(position) from landing.manifest"
        )
    land(home, "late.ndjson", event("late", "2026-01-07T00:00:00Z"), ARRIVED + timedelta(hours=1))
    _, tables, _ = ingest(home, IngestSettings(date(2026, 1, 7)))
    kept = [row[0] for row in tables["events"] if row[3] == date(2026, 1, 7)]
    assert kept == ["e7"]
