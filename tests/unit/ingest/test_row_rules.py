"""The exact rules for one row, by hand: canonical values and the first reason that applies."""

from __future__ import annotations

import json
import os
import tempfile
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from fairsplit.orchestration.landing import IngestSettings, ingest_landing

if TYPE_CHECKING:
    import pytest

ARRIVED = datetime(2026, 1, 10, 12, tzinfo=UTC)
NOW = datetime(2026, 3, 1, tzinfo=UTC)
SETTINGS = IngestSettings(first_day=date(2026, 1, 5))


def instant(*parts: int) -> datetime:
    """Instants of the lake are naive, in UTC."""
    return datetime(*parts)  # noqa: DTZ001


def take(lines: list[bytes | str], name: str = "x.ndjson", end: bytes = b"\n") -> tuple[list[Any], list[Any]]:
    """(lake rows as dicts, quarantine rows) of one file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "landing" / name
        path.parent.mkdir()
        path.write_bytes(end.join(line.encode() if isinstance(line, str) else line for line in lines))
        os.utime(path, (ARRIVED.timestamp(), ARRIVED.timestamp()))
        with duckdb.connect(config={"threads": 1}) as connection:
            ingest_landing(Path(folder), connection, SETTINGS, [], NOW)
            events = connection.execute("from landing.raw_events order by event_id")
            names = [column[0] for column in events.description or []]
            rows = [dict(zip(names, row, strict=True)) for row in events.fetchall()]
            refused = connection.execute(
                "select line_number, reason, detail, raw_line from landing.quarantine order by line_number"
            ).fetchall()
        return rows, refused


def event(**fields: Any) -> dict[str, Any]:
    return {"event_id": "e", "occurred_at": "2026-01-06T00:00:00Z"} | fields


REFUSED: list[tuple[str | bytes | dict[str, Any], str]] = [
    ("{", "unparseable"),
    ("7", "unparseable"),
    ('{"event_id": "a", "event_id": "b", "occurred_at": "2026-01-06T00:00:00Z"}', "unparseable"),
    ('{"event_id": "a", "occurred_at": "2026-01-06T00:00:00Z", }', "unparseable"),
    ('{"event_id": "a\x00", "occurred_at": "2026-01-06T00:00:00Z"}', "unparseable"),
    (b'{"event_id": "a\xff", "occurred_at": "2026-01-06T00:00:00Z"}', "unparseable"),
    (event(event_id=None, occurred_at=None), "missing_event_id"),
    (event(event_id="", occurred_at="no"), "missing_event_id"),
    (event(occurred_at=None, value="x"), "missing_occurred_at"),
    (event(occurred_at="", value="x"), "missing_occurred_at"),
    (event(occurred_at="2026-01-06T00:00:00", value="x"), "invalid_occurred_at"),
    (event(occurred_at="2026-01-06"), "invalid_occurred_at"),
    (event(occurred_at="2026-02-30T00:00:00Z"), "invalid_occurred_at"),
    (event(occurred_at="2026-01-06T25:00:00Z"), "invalid_occurred_at"),
    (event(occurred_at="2026-01-06T10:00:60Z"), "invalid_occurred_at"),
    (event(occurred_at=1767657600), "invalid_occurred_at"),
    (event(occurred_at={"at": 1}), "invalid_occurred_at"),
    (event(value="12.5"), "wrong_type"),
    (event(value=True), "wrong_type"),
    (event(value=1e12), "wrong_type"),
    (event(value=-1e12), "wrong_type"),
    (event(value=10_000_000_000.000002), "wrong_type"),
    (event(value=-10_000_000_001), "wrong_type"),
    (event(value=1e13), "wrong_type"),
    ('{"event_id": "a", "occurred_at": "2026-01-06T00:00:00Z", "value": NaN}', "wrong_type"),
    ('{"event_id": "a", "occurred_at": "2026-01-06T00:00:00Z", "value": -Infinity}', "wrong_type"),
    ('{"event_id": "a", "occurred_at": "2026-01-06T00:00:00Z", "value": 1e999}', "wrong_type"),
    ('{"event_id": "a", "occurred_at": "2026-01-06T00:00:00Z", "properties": {"x": [NaN]}}', "wrong_type"),
    ('{"event_id": "a", "occurred_at": "2026-01-06T00:00:00Z", "stray": 1e400}', "wrong_type"),
    (event(user_id=1.5), "wrong_type"),
    (event(user_id=["u"]), "wrong_type"),
    (event(event_id={"id": 1}), "wrong_type"),
    (event(event_name=5), "wrong_type"),
    (event(country=True), "wrong_type"),
    (event(context={"country": 5}), "wrong_type"),
    (event(context="web"), "wrong_type"),
    (event(properties=[1]), "wrong_type"),
    (event(properties="{}"), "wrong_type"),
    (event(occurred_at="2099-01-01T00:00:00Z", value="x"), "wrong_type"),
    (event(occurred_at="2026-01-10T12:10:00.000001Z"), "future"),
    (event(occurred_at="2026-01-04T23:59:59.999999Z"), "before_first_day"),
    (event(occurred_at="2026-01-05T00:30:00+01:00"), "before_first_day"),
]


CANONICAL: list[tuple[dict[str, Any], str, object]] = [
    ({"occurred_at": "2026-01-06T02:00:00+02:00"}, "occurred_at", instant(2026, 1, 6)),
    ({"occurred_at": "2026-01-06T02:00:00+0530"}, "occurred_at", instant(2026, 1, 5, 20, 30)),
    ({"occurred_at": "2026-01-06 02:00:00-05"}, "occurred_at", instant(2026, 1, 6, 7)),
    ({"occurred_at": "2026-01-06T02:00Z"}, "occurred_at", instant(2026, 1, 6, 2)),
    ({"occurred_at": "2026-01-06t02:00:00z"}, "occurred_at", instant(2026, 1, 6, 2)),
    (
        {"occurred_at": "2026-01-06T02:00:00.123456999Z"},
        "occurred_at",
        instant(2026, 1, 6, 2, 0, 0, 123456),
    ),
    ({"occurred_at": "2026-01-10T12:10:00Z"}, "occurred_at", instant(2026, 1, 10, 12, 10)),
    ({"value": 0.0000005}, "value", Decimal(0)),
    ({"value": 0.0000015}, "value", Decimal("0.000002")),
    ({"value": 1.0000025}, "value", Decimal("1.000002")),
    ({"value": -1.0000025}, "value", Decimal("-1.000002")),
    ({"value": -1.0000035}, "value", Decimal("-1.000004")),
    ({"value": 0.00000050000000000001}, "value", Decimal("0.000001")),
    ({"value": 1e-30}, "value", Decimal(0)),
    ({"value": 1.5e3}, "value", Decimal(1500)),
    ({"value": 10_000_000_000}, "value", Decimal(10_000_000_000)),
    ({"value": -10_000_000_000.0000000}, "value", Decimal(-10_000_000_000)),
    ({"value": -0.0}, "value", Decimal(0)),
    ({"user_id": 12345678901234567890123}, "user_id", "12345678901234567890123"),
    ({"user_id": ""}, "user_id", None),
    ({"context": {"platform": "ios"}}, "platform", "ios"),
    ({"context": {"platform": "ios"}, "platform": "web"}, "platform", "web"),
    ({"properties": {"experiment_id": "x", "b": 1}}, "experiment_id", "x"),
    ({"properties": {"experiment_id": "x", "b": 1}}, "properties", '{"b":1}'),
    ({"properties": {"experiment_id": "x"}, "experiment_id": "y"}, "experiment_id", "y"),
    ({"properties": {"b": 1}, "a": [{"d": 1, "c": 2}]}, "properties", '{"a":[{"c":2,"d":1}],"b":1}'),
    ({"properties": {"b": 1}, "b": 2}, "properties", '{"b":1}'),
    ({"context": {"ip": "::1"}}, "properties", '{"context.ip":"::1"}'),
    ({"properties": None}, "properties", "{}"),
    ({"properties": {"t": "say NaN, ] or 1e999"}}, "properties", '{"t":"say NaN, ] or 1e999"}'),
    (
        {"event_name": "<b>'; drop table x --\u202e😀\u0000"},
        "event_name",
        "<b>'; drop table x --\u202e😀\u0000",
    ),
]


def test_the_first_reason_that_applies() -> None:
    texts = [json.dumps(line) if isinstance(line, dict) else line for line, _ in REFUSED]
    rows, refused = take([*texts, json.dumps(event(event_id="good"))])

    assert [row["event_id"] for row in rows] == ["good"]
    raw = [text.decode("utf-8", "backslashreplace") if isinstance(text, bytes) else text for text in texts]
    assert [(number, reason, kept) for number, reason, _, kept in refused] == [
        (number, reason, text)
        for number, ((_, reason), text) in enumerate(zip(REFUSED, raw, strict=True), start=1)
    ]


def test_canonical_values() -> None:
    rows, refused = take(
        [
            json.dumps(event(event_id=f"{index:03}", **fields))
            for index, (fields, _, _) in enumerate(CANONICAL)
        ]
    )

    assert refused == []
    found = [(fields, column, row[column]) for row, (fields, column, _) in zip(rows, CANONICAL, strict=True)]
    assert found == CANONICAL


def test_equal_events_written_differently_are_one_row() -> None:
    lines = [
        json.dumps(event(value=2, user_id=7, properties={"a": 1, "b": {"c": 1, "d": 2}}, country="DE")),
        (
            '{"properties":{"b":{"d":2,"c":1},"a":1},"context":{"country":"\\u0044E"},"user_id":"7","value":2.0,'
            '"occurred_at":"2026-01-06T01:00:00.0000004+01:00","event_id":"e"}'
        ),
    ]
    assert len({take([line])[0][0]["row_md5"] for line in lines}) == 1


def test_line_numbers_count_blank_lines_and_ends_of_any_kind() -> None:
    rows, refused = take(
        ["\ufeff" + json.dumps(event()), "", "  ", "{bad", json.dumps(event(event_id="f"))], end=b"\r\n"
    )

    assert [row["event_id"] for row in rows] == ["e", "f"]
    assert [(number, raw) for number, _, _, raw in refused] == [(4, "{bad")]


def test_very_long_and_very_deep_lines_are_only_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    from fairsplit.orchestration.landing import lines  # noqa: PLC0415

    monkeypatch.setattr(lines, "MAX_RECORD_BYTES", 6 << 20)
    deep = (
        '{"event_id": "deep", "occurred_at": "2026-01-06T00:00:00Z", "x": '
        + "[" * 20_000
        + "]" * 20_000
        + "}"
    )
    long = '{"event_id": "' + "x" * (9 << 20) + '"}'
    rows, refused = take([json.dumps(event()), long, deep, json.dumps(event(event_id="f"))])

    assert [row["event_id"] for row in rows] == ["deep", "e", "f"]
    assert [(number, reason, len(raw)) for number, reason, _, raw in refused] == [(2, "unparseable", 1 << 20)]


def test_csv_cells_are_cast_and_broken_records_stand_alone() -> None:
    rows, refused = take(
        [
            "event_id;occurred_at;user_id;value;properties;colour",
            'a;2026-01-06T00:00:00Z;1;1,5;{"x":1};',
            'b;2026-01-06T00:00:00Z;1;-2.50;"{""x"":1}";"two\nlines; one cell"',
            'c;2026-01-06T00:00:00Z;1;;;"unclosed',
            "d;2026-01-06T00:00:00Z;;0;;red",
            "",
            "e;too;few",
        ],
        name="events.csv",
    )

    assert [(row["event_id"], row["user_id"], row["value"], row["properties"]) for row in rows] == [
        ("b", "1", Decimal("-2.5"), '{"colour":"two\\nlines; one cell","x":1}'),
        ("d", None, Decimal(0), '{"colour":"red"}'),
    ]
    assert [(number, reason) for number, reason, _, _ in refused] == [
        (2, "wrong_type"),
        (5, "unparseable"),
        (8, "unparseable"),
    ]
