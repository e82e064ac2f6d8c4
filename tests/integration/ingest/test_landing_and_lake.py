"""What is taken, once; and what the lake and its views hold afterwards."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import json
import lzma
import os
import shutil
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pytest

from fairsplit.analysis.catalogue.sources import Source
from fairsplit.orchestration.landing import IngestReport, IngestSettings, ingest_landing, open_landing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ARRIVED = datetime(2026, 2, 1, tzinfo=UTC)
NOW = datetime(2026, 3, 1, tzinfo=UTC)
SETTINGS = IngestSettings(first_day=date(2026, 1, 1))


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    (tmp_path / "landing").mkdir()
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
        yield connection


def event(event_id: str, day: int = 1, **more: object) -> str:
    at = f"2026-01-{day:02}T10:00:00Z"
    return (
        json.dumps({"event_id": event_id, "occurred_at": at, "event_name": "buy", "user_id": "u"} | more)
        + "\n"
    )


def land(path: Path, content: str | bytes, arrived: datetime = ARRIVED) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    os.utime(path, (arrived.timestamp(), arrived.timestamp()))
    return path


def ingest(home: Path, warehouse: duckdb.DuckDBPyConnection, now: datetime = NOW) -> IngestReport:
    return ingest_landing(home, warehouse, SETTINGS, [], now)


def ids(warehouse: duckdb.DuckDBPyConnection) -> list[str]:
    return [
        row[0] for row in warehouse.execute("select event_id from landing.raw_events order by 1").fetchall()
    ]


def test_the_same_content_in_any_packing_is_one_file(
    tmp_path: Path, warehouse: duckdb.DuckDBPyConnection
) -> None:
    content = (event("a") + event("b")).encode()
    packed = {
        "1.ndjson": content,
        "2.ndjson.gz": gzip.compress(content),
        "3.jsonl.bz2": bz2.compress(content),
        "deep/er/4.xz": lzma.compress(content),
        "5": pa.compress(content, codec="zstd", asbytes=True),
    }
    for place, (name, data) in enumerate(packed.items()):
        land(tmp_path / "landing" / name, data, ARRIVED + timedelta(seconds=place))

    report = ingest(tmp_path, warehouse)

    assert report.taken == ["1.ndjson"]
    assert report.same_content == ["2.ndjson.gz", "3.jsonl.bz2", "deep/er/4.xz", "5"]
    assert ids(warehouse) == ["a", "b"]
    hashes = warehouse.execute("select distinct file_hash from landing.manifest").fetchall()
    assert hashes == [(hashlib.sha256(content).hexdigest(),)]
    assert ingest(tmp_path, warehouse) == IngestReport()


def test_files_still_being_written_are_left_for_later(
    tmp_path: Path, warehouse: duckdb.DuckDBPyConnection
) -> None:
    for name in (".hidden", "x.ndjson.tmp", "y.part", ".folder/z.ndjson"):
        land(tmp_path / "landing" / name, event("no"))
    land(tmp_path / "landing" / "fresh.ndjson", event("a"), NOW - timedelta(seconds=9))

    assert ingest(tmp_path, warehouse) == IngestReport()
    assert ingest(tmp_path, warehouse, NOW + timedelta(seconds=1)).taken == ["fresh.ndjson"]


def test_a_file_that_grows_while_it_is_read_is_not_taken(
    tmp_path: Path, warehouse: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fairsplit.orchestration.landing import stage  # noqa: PLC0415

    land(tmp_path / "landing" / "calm.ndjson", event("a"))
    growing = land(tmp_path / "landing" / "growing.ndjson", event("b"))
    honest = stage.stage

    def stage_while_it_grows(*args: Any, **more: Any) -> Any:
        out = honest(*args, **more)
        land(growing, event("b") + event("c"), ARRIVED + timedelta(minutes=1))
        return out

    with monkeypatch.context() as patch:
        patch.setattr(stage, "stage", stage_while_it_grows)
        assert ingest(tmp_path, warehouse).taken == ["calm.ndjson"]
    assert ids(warehouse) == ["a"]
    assert ingest(tmp_path, warehouse).taken == ["growing.ndjson"]
    assert ids(warehouse) == ["a", "b", "c"]


def test_broken_files_are_recorded_and_stop_nothing(
    tmp_path: Path, warehouse: duckdb.DuckDBPyConnection
) -> None:
    landing = tmp_path / "landing"
    land(landing / "cut.ndjson.gz", gzip.compress(event("x").encode() * 999)[:-20])
    land(landing / "notes.csv", "name,colour\nann,red\n")
    land(landing / "fake.parquet", "PAR1 but not really")
    row = "select 'p' as event_id, timestamptz '2026-01-03 00:00:00Z' as occurred_at"
    table = f"copy ({row}) to '{landing}/[p]*.parquet'"
    warehouse.execute(table)
    whole = (landing / "[p]*.parquet").read_bytes()
    land(landing / "[p]*.parquet", whole)
    torn = bytearray(whole)
    torn[4:40] = b"\xff" * 36
    land(landing / "torn.parquet", bytes(torn))
    land(landing / "good.ndjson", event("a"))

    report = ingest(tmp_path, warehouse)

    assert sorted(report.unreadable) == ["cut.ndjson.gz", "fake.parquet", "notes.csv", "torn.parquet"]
    assert "found: name, colour" in report.unreadable["notes.csv"]
    assert ids(warehouse) == ["a", "p"]
    assert ingest(tmp_path, warehouse) == IngestReport(), "a broken file is told of once"
    land(landing / "cut.ndjson.gz", gzip.compress(event("x").encode()), ARRIVED + timedelta(days=1))
    assert ingest(tmp_path, warehouse).taken == ["cut.ndjson.gz"]


def test_a_late_file_rewrites_no_older_lake_file(
    tmp_path: Path, warehouse: duckdb.DuckDBPyConnection
) -> None:
    land(
        tmp_path / "landing" / "1.ndjson",
        "".join(event(f"e{day}-{n}", day) for day in range(1, 7) for n in range(50)),
    )
    ingest(tmp_path, warehouse)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "lake").rglob("*.parquet")}
    late = "".join(event(f"late{day}", day, user_id="v") for day in range(1, 7)) + event(
        "e3-7", 3, user_id="w"
    )
    land(tmp_path / "landing" / "2.ndjson", late, ARRIVED + timedelta(days=3))

    ingest(tmp_path, warehouse)

    after = {path: path.stat().st_mtime_ns for path in (tmp_path / "lake").rglob("*.parquet")}
    assert before.items() <= after.items()
    touched = warehouse.execute(
        "select event_day, id_kind, raw_id from landing.touched_units where batch = 2 order by all"
    ).fetchall()
    winner = warehouse.execute("select user_id from landing.raw_events where event_id = 'e3-7'").fetchall()[
        0
    ][0]
    expected = {(date(2026, 1, day), "user", "v") for day in range(1, 7)}
    if winner == "w":
        expected |= {(date(2026, 1, 3), "user", "w"), (date(2026, 1, 3), "user", "u")}
    assert set(touched) == expected
    assert len(ids(warehouse)) == 306


def test_reading_some_days_opens_only_their_files(
    tmp_path: Path, warehouse: duckdb.DuckDBPyConnection
) -> None:
    land(tmp_path / "landing" / "1.ndjson", "".join(event(f"e{day}", day) for day in range(1, 11)))
    land(tmp_path / "landing" / "2.ndjson", event("e4", 4) + event("x4", 4))
    ingest(tmp_path, warehouse)

    days = "date '2026-01-03', date '2026-01-04'"
    rows = warehouse.execute(f"select event_id from landing.events_between({days}) order by 1").fetchall()
    plan = warehouse.execute(
        f"explain analyze select user_id from landing.events_between({days})"
    ).fetchall()[0][1]

    assert rows == [("e3",), ("e4",), ("x4",)]
    assert "event_day=2026-01-04" in plan
    assert not any(f"event_day=2026-01-{day:02}" in plan for day in (1, 2, 5, 9, 10))


def test_a_moved_home_is_read_where_it_is_now(tmp_path: Path) -> None:
    old, new = tmp_path / "old [home]", tmp_path / "new*home"
    land(old / "landing" / "1.ndjson", event("a"))
    with duckdb.connect(str(old / "warehouse.duckdb")) as connection:
        ingest(old, connection)
        assert ids(connection) == ["a"]
    shutil.move(old, new)
    with duckdb.connect(str(new / "warehouse.duckdb")) as connection:
        open_landing(connection, new)
        assert ids(connection) == ["a"]


def test_a_rebuild_takes_the_recorded_arrivals(tmp_path: Path, warehouse: duckdb.DuckDBPyConnection) -> None:
    path = land(
        tmp_path / "landing" / "1.ndjson", event("a", 1) + event("b", 9), datetime(2026, 1, 3, tzinfo=UTC)
    )
    ingest(tmp_path, warehouse)
    recorded = dict(warehouse.execute("select file_hash, arrived_at from landing.manifest").fetchall())
    other = tmp_path / "other"
    land(other / "landing" / "1.ndjson", path.read_bytes(), datetime(2026, 2, 20, tzinfo=UTC))

    with duckdb.connect(str(other / "warehouse.duckdb")) as connection:
        ingest_landing(other, connection, SETTINGS, [], NOW, recorded=recorded)
        assert ids(connection) == ids(warehouse) == ["a"]
        assert connection.execute("select reason from landing.quarantine").fetchall() == [("future",)]


def test_days_that_were_sealed_take_nothing_more(
    tmp_path: Path, warehouse: duckdb.DuckDBPyConnection
) -> None:
    land(tmp_path / "landing" / "1.ndjson", event("a", 1) + event("b", 2))
    ingest(tmp_path, warehouse)
    warehouse.execute("insert into landing.seals values (date '2026-01-01', 1)")
    land(tmp_path / "landing" / "2.ndjson", event("c", 1) + event("d", 2))
    ingest(tmp_path, warehouse)

    assert ids(warehouse) == ["a", "b", "d"]
    assert warehouse.execute("select reason, line_number from landing.quarantine").fetchall() == [
        ("sealed_day", 1)
    ]


def test_parquet_types_are_judged_like_json_types(
    tmp_path: Path, warehouse: duckdb.DuckDBPyConnection
) -> None:
    path = tmp_path / "landing" / "1.parquet"
    warehouse.execute(f"""copy (
        select 1 as event_id, timestamptz '2026-01-01 01:00:00+01' as occurred_at, 7 as user_id,
            'nan'::double as value, {{'b': 1, 'a': [1.5]}} as properties, {{'country': 'DE'}} as context,
            'x' as line_number, 2 as "odd ""name"
        union all by name select 2 as event_id, timestamptz '2026-01-01 00:00:00Z' as occurred_at, 2.5::double as value
        union all by name select 3 as event_id, timestamptz 'infinity' as occurred_at
        ) to '{path}'""")
    land(path, path.read_bytes())
    naive = tmp_path / "landing" / "2.parquet"
    warehouse.execute(f"copy (select 'n' as event_id, timestamp '2026-01-01' as occurred_at) to '{naive}'")
    land(naive, naive.read_bytes())

    ingest(tmp_path, warehouse)

    assert warehouse.execute(
        "select event_id, value::varchar, properties from landing.raw_events"
    ).fetchall() == [("2", "2.500000", "{}")]
    refused = warehouse.execute(
        "select line_number, reason, raw_line from landing.quarantine order by all"
    ).fetchall()
    assert [row[:2] for row in refused] == [
        (1, "invalid_occurred_at"),
        (1, "wrong_type"),
        (3, "invalid_occurred_at"),
    ]
    assert json.loads(refused[1][2].replace("nan", "NaN"))['odd "name'] == 2


def test_a_file_without_a_source_is_taken_when_it_gets_one(
    tmp_path: Path, warehouse: duckdb.DuckDBPyConnection
) -> None:
    land(tmp_path / "landing" / "visits.csv", "who,at\nann,2026-01-03T00:00:00Z\n")
    columns = {"event_id": {"columns": ["who", "at"]}, "user_id": "who", "occurred_at": "at"}
    mapping = Source.model_validate(
        {"id": "visits", "files": "visits.csv", "columns": columns, "constants": {"event_name": "visit"}}
    )

    assert list(ingest(tmp_path, warehouse).unreadable) == ["visits.csv"]
    assert ingest_landing(tmp_path, warehouse, SETTINGS, [mapping], NOW).taken == ["visits.csv"]
    assert ids(warehouse) == ["ann:2026-01-03T00:00:00Z"]
    assert warehouse.execute("select status from landing.manifest order by position").fetchall() == [
        ("unreadable",),
        ("taken",),
    ]


def test_a_twin_of_a_file_that_grew_is_taken_in_its_place(
    tmp_path: Path, warehouse: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fairsplit.orchestration.landing import stage  # noqa: PLC0415

    growing = land(tmp_path / "landing" / "1.ndjson", event("a"))
    land(tmp_path / "landing" / "2.ndjson", event("a"))
    honest = stage.stage

    def stage_while_it_grows(*args: Any, **more: Any) -> Any:
        out = honest(*args, **more)
        land(growing, event("b"), ARRIVED + timedelta(minutes=1))
        return out

    with monkeypatch.context() as patch:
        patch.setattr(stage, "stage", stage_while_it_grows)
        assert ingest(tmp_path, warehouse) == IngestReport()
    assert ingest(tmp_path, warehouse).taken == ["2.ndjson", "1.ndjson"]
    assert ids(warehouse) == ["a", "b"]


def test_the_bytes_of_a_lake_file_follow_from_what_landed(tmp_path: Path) -> None:
    """Case lake-damaged: what is taken again is to have the same checksum, whatever threads and files went with it."""
    first = "".join(event(f"e{number * 7919 % 20011}", day=1 + number % 3) for number in range(20011))
    other = "".join(event(f"o{number}", day=1 + number % 3) for number in range(9000))
    found = set()
    for number, (threads, flush_rows, with_other) in enumerate(
        [(1, 131_072, False), (2, 2_048, False), (7, 4_096, True), (3, 2_048, True)]
    ):
        home = tmp_path / str(number)
        land(home / "landing" / "first.ndjson", first, ARRIVED + timedelta(seconds=1))
        if with_other:
            land(home / "landing" / "other.ndjson", other)
        with (
            pytest.MonkeyPatch.context() as patch,
            duckdb.connect(str(home / "warehouse.duckdb"), config={"threads": threads}) as connection,
        ):
            patch.setattr("fairsplit.orchestration.landing.ingest._FLUSH_ROWS", flush_rows)
            ingest(home, connection)
            found |= set(
                connection.execute(
                    "select event_day, path, rows, sha256 from landing.lake_files where file_hash = ?",
                    [hashlib.sha256(first.encode()).hexdigest()],
                ).fetchall()
            )
    assert len(found) == 3
    assert sum(rows for _, _, rows, _ in found) == 20011
