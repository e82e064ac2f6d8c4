"""Files as companies write them: odd types, packings, headers and hours, each by its case of `shared/cases`."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import os
import zipfile
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fairsplit.analysis.catalogue.sources import Source
from fairsplit.orchestration.landing import IngestReport, IngestSettings, ingest_landing
from fairsplit.orchestration.quality import conservation_problems

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

ARRIVED = datetime(2026, 12, 1, tzinfo=UTC)
NOW = datetime(2027, 1, 1, tzinfo=UTC)
SETTINGS = IngestSettings(first_day=date(1960, 1, 1))


class Place:
    """A landing folder and its warehouse."""

    def __init__(self, home: Path, connection: duckdb.DuckDBPyConnection) -> None:
        self.home = home
        self.connection = connection

    def land(self, name: str, content: bytes | str) -> Path:
        path = self.home / "landing" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        os.utime(path, (ARRIVED.timestamp(), ARRIVED.timestamp()))
        return path

    def parquet(self, name: str, columns: dict[str, Any]) -> Path:
        sink = io.BytesIO()
        pq.write_table(pa.table(columns), sink)
        return self.land(name, sink.getvalue())

    def ingest(self, sources: Sequence[Source] = ()) -> IngestReport:
        report = ingest_landing(self.home, self.connection, SETTINGS, list(sources), NOW)
        assert conservation_problems(self.connection) == []
        return report

    def events(self, columns: str) -> list[tuple[Any, ...]]:
        return self.query(f"select {columns} from landing.raw_events order by event_id, event_day")

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql).fetchall()

    def refused(self) -> list[tuple[Any, ...]]:
        return self.query("select line_number, reason, detail from landing.quarantine order by all")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    (tmp_path / "landing").mkdir()
    with duckdb.connect(str(tmp_path / "warehouse.duckdb"), config={"threads": 1}) as connection:
        yield Place(tmp_path, connection)


def instant(*parts: int) -> datetime:
    """Instants of the lake are naive, in UTC."""
    return datetime(*parts)  # noqa: DTZ001


def event(event_id: str, **more: object) -> str:
    return json.dumps({"event_id": event_id, "occurred_at": "2026-02-01T10:00:00Z"} | more) + "\n"


def zoned(zone: str | None, files: str = "**", **more: Any) -> Source:
    columns = {name: name for name in ("event_id", "event_name", "occurred_at", "user_id")}
    return Source.model_validate(
        {"id": "s", "files": files, "columns": columns | more.pop("columns", {}), "timezone": zone} | more
    )


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "America/New_York"])
def test_timestamps_of_any_unit_with_and_without_zone(place: Place, unit: str, zone: str | None) -> None:
    """Case parquet-nanoseconds-with-zone: the instant is the count since the epoch, whatever the column's zone."""
    per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    counts = [1_769_940_000 * per_second + (per_second - 1), -1, None]
    place.parquet(
        "t.parquet", {"event_id": ["a", "b", "c"], "occurred_at": pa.array(counts, pa.timestamp(unit, zone))}
    )
    place.land("good.ndjson", event("good"))

    place.ingest([] if zone else [zoned("UTC", "*.parquet", columns={"event_name": "event_id"})])

    epoch = instant(1970, 1, 1)
    wanted = [epoch + timedelta(microseconds=count * 10**6 // per_second) for count in counts[:2]]
    assert place.events("occurred_at") == [(wanted[0],), (wanted[1],), (instant(2026, 2, 1, 10),)]
    assert place.refused() == [(3, "missing_occurred_at", "c" if not zone else None)]


def test_finer_than_a_microsecond_is_cut_in_every_format(place: Place) -> None:
    """Case nanoseconds-rounded: 23:59:59.999999999 stays in its day; before 1970 too it is the earlier microsecond."""
    last = datetime(2026, 2, 1, 23, 59, 59, 999999, tzinfo=UTC)
    nanoseconds = [(int(last.timestamp()) * 10**6 + 999_999) * 1000 + 999, -1]
    ids = {"event_id": ["1", "2"], "user_id": ["u", "u"]}
    place.parquet("zoned.parquet", ids | {"occurred_at": pa.array(nanoseconds, pa.timestamp("ns", "UTC"))})
    place.parquet("naive/x.parquet", ids | {"occurred_at": pa.array(nanoseconds, pa.timestamp("ns"))})
    texts = ["2026-02-01T23:59:59.999999999Z", "1969-12-31T23:59:59.999999999Z"]
    rows = [
        {"event_id": key, "user_id": "u", "occurred_at": text}
        for key, text in zip(ids["event_id"], texts, strict=True)
    ]
    place.land("a.ndjson", "".join(json.dumps(row) + "\n" for row in rows))
    place.land(
        "a.csv",
        "event_id,user_id,occurred_at\n" + "".join(f"{n},u,{t}\n" for n, t in zip("12", texts, strict=True)),
    )
    place.land(
        "epoch/x.csv",
        "event_id,user_id,occurred_at\n"
        + "".join(f"{n},u,{t}\n" for n, t in zip("12", nanoseconds, strict=True)),
    )
    place.land(
        "pattern/x.csv",
        "event_id,user_id,occurred_at\n"
        + "".join(f"{n},u,{t[:-1]}\n" for n, t in zip("12", texts, strict=True)),
    )
    plain = {"event_id": "event_id", "user_id": "user_id"}

    def source(name: str, occurred: Any, **more: Any) -> Source:
        columns = plain | {"occurred_at": occurred, "event_name": "missing"}
        return Source.model_validate({"id": name, "files": f"{name}/*", "columns": columns} | more)

    place.ingest(
        [
            source("naive", "occurred_at", timezone="UTC"),
            source("epoch", {"column": "occurred_at", "format": "epoch_ns"}),
            source("pattern", {"column": "occurred_at", "format": "%Y-%m-%dT%H:%M:%S.%f"}, timezone="UTC"),
        ]
    )

    assert place.events("event_id, occurred_at") == [
        ("1", instant(2026, 2, 1, 23, 59, 59, 999999)),
        ("2", instant(1969, 12, 31, 23, 59, 59, 999999)),
    ]
    assert place.query("select sum(duplicates), sum(conflicts) from landing.file_accounts") == [(10, 0)]


def test_whole_decimals_and_unsigned_numbers_are_ids(place: Place) -> None:
    """Case decimal-ids: a NUMBER of Snowflake arrives as DECIMAL(38,0); with digits after the point it is no id."""
    big = 2**53 + 1
    whole = {
        "decimal": pa.array([Decimal(big), Decimal(7)], pa.decimal128(20, 0)),
        "widest": pa.array([Decimal(10**37), Decimal(-3)], pa.decimal128(38, 0)),
        "unsigned": pa.array([2**64 - 1, 0], pa.uint64()),
    }
    at = pa.array([10**15, 10**15], pa.timestamp("us", "UTC"))
    for name, ids in whole.items():
        place.parquet(
            f"{name}.parquet", {"event_id": [f"{name}1", f"{name}2"], "occurred_at": at, "user_id": ids}
        )
    cents = pa.array([Decimal("1.50")], pa.decimal128(20, 2))
    place.parquet("cents.parquet", {"event_id": ["x"], "occurred_at": at[:1], "user_id": cents})

    place.ingest()

    assert place.events("user_id") == [
        (str(big),), ("7",), (str(2**64 - 1),), ("0",), (str(10**37),), ("-3",)
    ]  # fmt: skip
    assert place.refused() == [(1, "wrong_type", "user_id")]


NESTED = {"experiment_id": "x", "variation_id": "a"}


def exposures(place: Place, properties: dict[str, Any]) -> None:
    """Land one event in each of eight spellings."""
    text = json.dumps(properties)
    at = {"event_id": ["e"], "event_name": ["experiment_viewed"], "user_id": ["u"]}
    at["occurred_at"] = pa.array([1_769_940_000_000_000], pa.timestamp("us", "UTC"))  # type: ignore[assignment]
    head, row = "event_id,event_name,user_id,occurred_at", "e,experiment_viewed,u,2026-02-01T10:00:00Z"
    quoted = io.StringIO()
    csv.writer(quoted).writerow(["e", "experiment_viewed", "u", "2026-02-01T10:00:00Z", text])
    dotted = {f"properties.{name}": value for name, value in properties.items()}
    plain = {"event_name": "experiment_viewed", "user_id": "u"}
    place.land("object.ndjson", event("e", **plain, properties=properties))
    place.land("dotted.ndjson", event("e", **plain, **dotted))
    place.parquet("struct.parquet", at | {"properties": [properties | {"null": None}]})
    place.parquet("text.parquet", at | {"properties": [text]})
    place.parquet(
        "map.parquet",
        at | {"properties": pa.array([list(properties.items())], pa.map_(pa.string(), pa.string()))},
    )
    place.parquet("dotted.parquet", at | {name: [value] for name, value in dotted.items()})
    place.land("text.csv", f"{head},properties\n{quoted.getvalue()}")
    place.land("dotted.csv", f"{head},{','.join(dotted)}\n{row},{','.join(properties.values())}\n")


@pytest.mark.parametrize("more", [{}, {"plan": "pro"}])
def test_what_stands_in_properties_is_read_alike_in_every_format(place: Place, more: dict[str, str]) -> None:
    """Case exposures-named-in-properties: eight spellings of one event are one event, without a conflict."""
    exposures(place, NESTED | more)

    place.ingest()

    assert place.events("experiment_id, variation_id, properties") == [
        ("x", "a", json.dumps(more, separators=(",", ":")))
    ]
    assert place.query(
        "select sum(duplicates), sum(conflicts), sum(quarantined) from landing.file_accounts"
    ) == [(7, 0, 0)]


def test_a_mapping_reaches_into_what_is_nested_in_every_format(place: Place) -> None:
    """Case exposures-named-in-properties, varied: the same dots in a source's mapping."""
    exposures(place, NESTED | {"plan": "pro"})
    nested = {name: f"properties.{name}" for name in NESTED} | {"region": "properties.plan"}
    place.ingest([zoned(None, columns=nested)])

    assert place.events("experiment_id, variation_id, region") == [("x", "a", "pro")]
    assert place.query(
        "select sum(duplicates), sum(conflicts), sum(quarantined) from landing.file_accounts"
    ) == [(7, 0, 0)]


def test_a_column_of_the_contract_goes_before_a_nested_one(place: Place) -> None:
    """Case exposures-named-in-properties, varied: both are given, or the context is text of JSON."""
    place.land("a.ndjson", event("a", experiment_id="top", properties={"experiment_id": "in"}))
    place.land(
        "b.csv",
        "event_id,occurred_at,experiment_id,properties.experiment_id\nb,2026-02-01T10:00:00Z,top,in\n",
    )
    place.land(
        "c.csv",
        'event_id,occurred_at,context\nc,2026-02-01T10:00:00Z,"{""country"": ""DE"", ""ip"": ""::1""}"\n',
    )
    place.land(
        "d.csv", "event_id,occurred_at,context,context.platform\nd,2026-02-01T10:00:00Z,checkout page,web\n"
    )

    place.ingest()

    assert place.events("event_id, experiment_id, country, platform, properties") == [
        ("a", "top", None, None, '{"experiment_id":"in"}'),
        ("b", "top", None, None, '{"experiment_id":"in"}'),
        ("c", None, "DE", None, '{"context.ip":"::1"}'),
        ("d", None, None, "web", '{"context":"checkout page"}'),
    ]


SKIPPED = [
    ("America/New_York", "2026-03-08T02:00:00"),
    ("America/New_York", "2026-03-08T02:59:59.999999"),
    ("Australia/Lord_Howe", "2026-10-04T02:10:00"),
    ("Pacific/Apia", "2011-12-30T12:00:00"),
]
SHOWN = [
    ("America/New_York", "2026-03-08T01:59:59"),
    ("America/New_York", "2026-03-08T03:00:00"),
    ("America/New_York", "2026-11-01T01:30:00"),
    ("America/New_York", "2026-11-01T02:00:00"),
    ("Europe/Berlin", "2026-10-25T02:00:00"),
    ("Europe/Berlin", "2026-10-25T02:59:59.999999"),
    ("Europe/Berlin", "2026-10-25T03:00:00"),
    ("Europe/Dublin", "2026-10-25T01:30:00"),
    ("Africa/Casablanca", "2026-02-15T02:30:00"),
    ("Australia/Lord_Howe", "2026-04-05T01:45:00"),
    ("Asia/Kolkata", "2026-05-05T05:05:05"),
    ("America/New_York", "1965-10-31T01:30:00"),
]


@pytest.mark.parametrize("file_format", ["csv", "parquet"])
def test_hours_that_the_clock_skipped_or_showed_twice(place: Place, file_format: str) -> None:
    """Case times-that-do-not-exist: skipped ones are refused, of two the first counts; `zoneinfo` is the reference."""
    sources, wanted, twice = [], [], 0
    for number, (zone, text) in enumerate([*SHOWN, *SKIPPED]):
        local = datetime.fromisoformat(text)
        name = f"{number:02}"
        if file_format == "csv":
            place.land(f"{name}.csv", f"event_id,occurred_at\n{name},{text}\n{name}z,2026-02-01T10:00:00Z\n")
        else:
            micros = (local - instant(1970, 1, 1)) // timedelta(microseconds=1)
            at = pa.array([micros], pa.timestamp("us"))
            place.parquet(f"{name}.parquet", {"event_id": [name], "occurred_at": at})
        source = zoned(zone, f"{name}.*", columns={"event_name": "missing", "user_id": "missing"})
        sources.append(source.model_copy(update={"id": f"s{name}"}))
        first, second = (local.replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC) for fold in (0, 1))
        if number < len(SHOWN):
            wanted.append((name, first.replace(tzinfo=None)))
            twice += first != second

    place.ingest(sources)

    assert [row for row in place.events("event_id, occurred_at") if not row[0].endswith("z")] == wanted
    assert [reason for _, reason, _ in place.refused()] == ["invalid_occurred_at"] * len(SKIPPED)
    assert place.query("select sum(rows_repeated_hour) from landing.manifest") == [(twice,)]
    assert twice == 7


def test_a_name_that_stands_twice_is_refused_by_name(place: Place) -> None:
    """Case the-same-key-twice: in a header of CSV, in the schema of Parquet, in objects at any depth."""
    place.land("head.csv", "event_id,occurred_at,user_id, user_id\n1,2026-02-01T10:00:00Z,u1,u2\n")
    at = pa.array([10**15], pa.timestamp("us", "UTC"))
    table = pa.table([["e"], at, ["u1"], ["u2"]], names=["event_id", "occurred_at", "user_id", "User_Id"])
    sink = io.BytesIO()
    pq.write_table(table, sink)
    place.land("head.parquet", sink.getvalue())
    twice = [
        '{"a": 1, "a": 2}',
        '{"deep": [{"b": {"c": 1, "c": 1}}]}',
        '{"a": {"b": 1, "\\u0062": 2}}',
        '{"n": {"big": ' + "1" * 5000 + ', "big": 1}}',
        '{"d": ' + "[" * 3000 + '{"c": 1, "c": 2}' + "]" * 3000 + "}",
    ]
    once = ['{"a": [{"b": 1}, {"b": 1}], "c": "{\\"a\\": 1, \\"a\\": 2}"}', '{"a": {"A": 1, "a": 2}}']
    lines = [
        f'{{"event_id": "x", "occurred_at": "2026-02-01T10:00:00Z", "properties": {one}}}' for one in twice
    ]
    lines += [f'{{"event_id": "m", "occurred_at": "2026-02-01T10:00:00Z", "meta": {one}}}' for one in twice]
    lines += [event(f"good{n}", properties=json.loads(one)).strip() for n, one in enumerate(once)]
    place.land("keys.ndjson", "\n".join(lines) + "\n")
    out = io.StringIO()
    csv.writer(out).writerows(
        [["event_id", "occurred_at", "properties"], ["c", "2026-02-01T10:00:00Z", twice[1]]]
    )
    place.land("keys.csv", out.getvalue())

    report = place.ingest()

    assert set(report.unreadable) == {"head.csv", "head.parquet"}
    assert "'user_id' stands 2 times (columns 3, 4)" in report.unreadable["head.csv"]
    assert "'User_Id' stands twice" in report.unreadable["head.parquet"]
    assert [row[0] for row in place.events("event_id")] == ["good0", "good1"]
    refused = place.refused()
    assert (2, "wrong_type", "properties: a key stands twice") in refused
    assert refused.count((1, "unparseable", "a key stands twice")) == 1
    assert len([row for row in refused if row[1:] == ("unparseable", "a key stands twice")]) == 2 * len(twice)


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ('"event_id","occurred_at","a;b;c;d;e;f"', "1,2026-02-01T10:00:00Z,x"),
        ('event_id;occurred_at;"a,b,c,d,e"', "1;2026-02-01T10:00:00Z;x"),
        ('"event_id"\t"occurred_at"\t"two\nlines | , , , ,"', "1\t2026-02-01T10:00:00Z\tx"),
        ('event_id|occurred_at|"a ""b"" ,,,, c"', "1|2026-02-01T10:00:00Z|x"),
    ],
)
def test_a_delimiter_inside_quotes_is_none(place: Place, header: str, row: str) -> None:
    """Case delimiter-inside-quotes."""
    place.land("x.csv", f"{header}\n{row}\n")
    place.ingest()
    assert place.events("event_id, occurred_at") == [("1", instant(2026, 2, 1, 10))]


def test_what_is_not_read_says_what_it_is(place: Place) -> None:
    """Case packings-not-known: by name, with the way out; the good file is taken."""
    line = event("a").encode()
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("x.ndjson", line)
    table = io.BytesIO()
    pq.write_table(pa.table({"event_id": ["p"]}), table)
    wanted = {
        "x.zip": (archive.getvalue(), "ZIP is not supported"),
        "x.ndjson.zip": (archive.getvalue() + b" ", "ZIP is not supported"),
        "twice.ndjson.gz": (gzip.compress(gzip.compress(line)), "packed twice (gzip in gzip)"),
        "mixed.ndjson.bz2": (bz2.compress(gzip.compress(line)), "packed twice (gzip in bz2)"),
        "a.parquet.gz": (gzip.compress(table.getvalue()), "Parquet packed with gzip; unpack it"),
        "array.json": (b"[" + line.strip() + b", " + line.strip() + b"]", "a JSON array; one object a line"),
        "array2.json": (b" [\n  " + line.strip() + b"\n]\n", "a JSON array; one object a line"),
        "pretty.json": (json.dumps(json.loads(line), indent=1).encode(), "JSON over several lines; one object"),
        "utf16.csv": ("event_id,occurred_at\n".encode("utf-16"), "UTF-16 is not read; save it as UTF-8"),
        "x.avro": (b"Obj\x01\x04", "Avro is not read"),
    }  # fmt: skip
    for name, (content, _) in wanted.items():
        place.land(name, content)
    place.land("good.ndjson", line)

    report = place.ingest()

    assert report.taken == ["good.ndjson"]
    assert {name: report.unreadable[name][: len(message)] for name, (_, message) in wanted.items()} == {
        name: message for name, (_, message) in wanted.items()
    }


def test_an_empty_file_of_any_name_holds_no_rows(place: Place) -> None:
    """Case packings-not-known: one rule for empty files."""
    for name in ("zero.csv", "zero.ndjson", "zero.parquet", "zero.json"):
        place.land(name, b"")
    place.land("blank.csv", b"\n \r\n")
    place.land("packed.csv.gz", gzip.compress(b""))
    place.land("header.csv", "event_id,occurred_at\n")

    report = place.ingest([zoned("UTC", "*.csv", format="csv")])

    assert (report.unreadable, report.rows_read) == ({}, 0)
    assert sorted(report.taken + report.same_content) == [
        "blank.csv", "header.csv", "packed.csv.gz", "zero.csv", "zero.json", "zero.ndjson", "zero.parquet"
    ]  # fmt: skip


@pytest.mark.parametrize("number", range(12))
def test_a_record_that_was_cut_off_loses_to_the_whole_one(place: Place, number: int) -> None:
    """Case file-read-while-written: 12.50 whichever id the row has, and whichever file is taken first."""
    head = "event_id,event_name,occurred_at,user_id,value\n"
    row = f"{number},purchase,2026-02-01T10:00:00Z,u{number},12"
    cut, whole = head + row, head + row + ".50\n"
    place.land("cut.csv", cut)
    if number % 2:
        place.ingest()
    place.land("whole.csv", whole)
    place.ingest()

    assert place.events("value") == [(Decimal("12.5"),)]
    assert place.query("select path, accepted, conflicts from landing.file_accounts order by path") == [
        ("cut.csv", 0, 1),
        ("whole.csv", 1, 0),
    ]


def test_a_file_without_a_last_line_end_loses_nothing(place: Place) -> None:
    """Case file-read-while-written, varied: most files without a last line end are whole, and count as duplicates."""
    row = "1,2026-02-01T10:00:00Z,u"
    place.land("a.csv", f"event_id,occurred_at,user_id\n{row}")
    place.land("b.csv", f"event_id,occurred_at,user_id\n{row}\n{row}")
    place.ingest()

    assert place.events("event_id, user_id") == [("1", "u")]
    assert place.query(
        "select sum(accepted), sum(duplicates), sum(conflicts) from landing.file_accounts"
    ) == [(1, 2, 0)]


def test_a_parquet_row_over_the_limit_is_kept_by_its_beginning(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Case line-bombs, varied: texts of a row, nested ones too, against the limit of a line."""
    from fairsplit.orchestration.landing import layout_table, rows  # noqa: PLC0415

    monkeypatch.setattr(layout_table, "MAX_RECORD_BYTES", 500)
    monkeypatch.setattr(rows, "KEPT_BYTES", 40)
    columns = {
        "event_id": ["text", "blob", "nested", "good"],
        "occurred_at": pa.array([10**15] * 4, pa.timestamp("us", "UTC")),
        "url": ["x" * 600, None, None, "y" * 300],
        "blob": [None, b"x" * 600, None, None],
        "properties": [None, None, {"a": ["z" * 600]}, {"a": ["z" * 100]}],
    }
    place.parquet("rows.parquet", columns)

    place.ingest()

    assert place.events("event_id") == [("good",)]
    assert [row[:2] for row in place.refused()] == [(n, "unparseable") for n in (1, 2, 3)]
    assert place.query("select distinct length(raw_line) from landing.quarantine") == [(40,)]


@pytest.mark.parametrize("name", ["x.csv", "x.parquet"])
def test_too_many_columns_are_refused(place: Place, name: str) -> None:
    """Case line-bombs, varied: one limit for the formats that fix their columns."""
    names = ["event_id", "occurred_at", *(f"c{n}" for n in range(1_999))]
    if name.endswith("csv"):
        place.land(name, ",".join(names) + "\n")
    else:
        place.parquet(name, {column: ["x"] for column in names})
    assert "2,001 columns, at most 2,000" in place.ingest().unreadable[name]


def test_only_regular_files_are_read(place: Place, tmp_path: Path) -> None:
    """Case landing-symlinks: links are listed and not followed, loops and pipes stop nothing."""
    landing = tmp_path / "landing"
    outside = tmp_path / "secret.txt"
    outside.write_text("the secret\n")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "x.ndjson").write_text(event("outside"))
    for name, target in {"out.csv": outside, "loop": landing / "loop", "folder": tmp_path / "folder"}.items():
        (landing / name).symlink_to(target)
    (landing / "gone.ndjson").symlink_to(tmp_path / "nowhere")
    os.mkfifo(landing / "pipe.ndjson")
    place.land("good.ndjson", event("good"))
    for path in landing.iterdir():
        os.utime(path, (ARRIVED.timestamp(), ARRIVED.timestamp()), follow_symlinks=False)

    report = place.ingest()

    assert report.taken == ["good.ndjson"]
    assert {name: text[:6] for name, text in report.unreadable.items()} == {
        "out.csv": "a link", "loop": "a link", "folder": "a link", "gone.ndjson": "a link", "pipe.ndjson": "not a "
    }  # fmt: skip
    assert "secret" not in repr(place.query("from landing.quarantine")) + repr(
        place.query("from landing.manifest")
    )
    assert place.ingest() == IngestReport(), "told of once"


def test_a_file_that_cannot_be_staged_stops_no_other(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Case parquet-nanoseconds-with-zone, at the least: it is named and the rest is taken."""
    from fairsplit.orchestration.landing import lines  # noqa: PLC0415

    for name in ("a.ndjson", "bad.ndjson", "c.ndjson"):
        place.land(name, event(name))
    honest = lines.line_batches

    def fail_in_one(stream: Any, index: int) -> Any:
        for batch in honest(stream, index):
            if "bad" in str(batch.column("line")[0]):
                raise MemoryError("no room for this one")
            yield batch

    monkeypatch.setattr(lines, "line_batches", fail_in_one)
    report = place.ingest()

    assert report.taken == ["a.ndjson", "c.ndjson"]
    assert "no room for this one" in report.unreadable["bad.ndjson"]


def test_a_full_disk_is_nobodys_fault(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reverse of the test before: what no single file repeats ends the run, and no file is blamed."""
    from fairsplit.orchestration.landing import stage  # noqa: PLC0415

    place.land("a.ndjson", event("a"))

    def full(*_args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(stage, "stage", full)
    with pytest.raises(OSError, match="No space left"):
        place.ingest()
    assert place.query("from landing.manifest") == []
