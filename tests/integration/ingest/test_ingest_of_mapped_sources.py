"""Any layout by a source mapping: one row to several events, tables of the warehouse, times without offset."""

from __future__ import annotations

import gzip
import os
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
import yaml

from fairsplit.analysis.catalogue.sources import Source
from fairsplit.orchestration.landing import IngestSettings, ingest_landing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ARRIVED = datetime(2026, 2, 1, tzinfo=UTC)
NOW = datetime(2026, 3, 1, tzinfo=UTC)
SETTINGS = IngestSettings(first_day=date(2026, 1, 1))


def instant(*parts: int) -> datetime:
    """Instants of the lake are naive, in UTC."""
    return datetime(*parts)  # noqa: DTZ001


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    (tmp_path / "landing").mkdir()
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
        yield connection


def settle(folder: Path) -> None:
    for path in folder.rglob("*"):
        os.utime(path, (ARRIVED.timestamp(), ARRIVED.timestamp()))


def source(text: str) -> Source:
    return Source.model_validate(yaml.safe_load(text))


def fetch(connection: duckdb.DuckDBPyConnection, columns: str) -> list[tuple[Any, ...]]:
    return connection.execute(f"select {columns} from landing.raw_events order by event_id").fetchall()


def test_one_row_gives_an_exposure_and_where_it_converted_a_conversion(
    tmp_path: Path, warehouse: duckdb.DuckDBPyConnection
) -> None:
    text = (
        "user_id,timestamp,group,landing_page,converted\n"
        "1,2026-01-02 10:00:00.5,treatment,new_page,1\n"
        "2,2026-01-02 23:30:00,control,old_page,0\n"
        "3,2026-01-03 00:10:00,treatment,old_page,1\n"
        "4,not a time,control,old_page,1\n"
        "5,2026-01-03\n"
    )
    with gzip.open(tmp_path / "landing" / "ab_data.csv.gz", "wt") as file:
        file.write(text)
    settle(tmp_path / "landing")
    mapping = source("""
        id: landing_page
        files: "ab_data*"
        timezone: Europe/Berlin
        columns: {event_id: user_id, user_id: user_id, occurred_at: timestamp}
        constants: {platform: web, experiment_id: landing_page}
        properties: [landing_page]
        when: {any: [
            {all: [{column: group, equals: treatment}, {column: landing_page, equals: new_page}]},
            {all: [{column: group, equals: control}, {column: landing_page, equals: old_page}]}]}
        events:
          - {name: experiment_viewed, suffix: ":viewed",
             columns: {variation_id: {column: group, values: {treatment: new}}}}
          - {name: converted, suffix: ":converted", when: {column: converted, equals: 1},
             columns: {value: converted}}
    """)

    report = ingest_landing(tmp_path, warehouse, SETTINGS, [mapping], NOW)

    columns = "event_id, event_name, occurred_at, user_id, value, variation_id, platform, properties"
    assert fetch(warehouse, columns) == [
        ("1:converted", "converted", instant(2026, 1, 2, 9, 0, 0, 500000), "1", Decimal(1), None, "web",
         '{"landing_page":"new_page"}'),
        ("1:viewed", "experiment_viewed", instant(2026, 1, 2, 9, 0, 0, 500000), "1", None, "new", "web",
         '{"landing_page":"new_page"}'),
        ("2:viewed", "experiment_viewed", instant(2026, 1, 2, 22, 30), "2", None, "control", "web",
         '{"landing_page":"old_page"}'),
    ]  # fmt: skip
    quarantined = warehouse.execute(
        "select line_number, reason, detail from landing.quarantine order by all"
    ).fetchall()
    assert quarantined == [
        (5, "invalid_occurred_at", "not a time"),
        (5, "invalid_occurred_at", "not a time"),
        (6, "unparseable", "2 cells where the header has 5"),
    ]
    assert warehouse.execute(
        "select rows_read, rows_without_event, source from landing.manifest"
    ).fetchall() == [(6, 1, "landing_page")]
    assert report.rows_read == 6


def test_a_table_is_landed_once_and_then_only_its_new_rows(
    tmp_path: Path, warehouse: duckdb.DuckDBPyConnection
) -> None:
    warehouse.execute("create schema shop")
    warehouse.execute(
        "create table shop.orders (id int, made_at timestamptz, customer varchar, total decimal(10, 2), note json)"
    )
    warehouse.execute(
        "insert into shop.orders values (1, '2026-01-02 00:00:00+01', 'ann', 9.99, '{\"b\": 1, \"a\": 2}')"
    )
    mapping = source("""
        id: orders
        table: shop.orders
        columns:
          event_id: {columns: [customer, id], separator: "-"}
          user_id: customer
          occurred_at: made_at
          value: total
        constants: {event_name: purchase}
        properties: "*"
    """)
    missing = source("""
        id: gone
        table: main.absent
        columns: {event_id: id, occurred_at: at}
        constants: {event_name: x}
    """)

    first = ingest_landing(tmp_path, warehouse, SETTINGS, [missing, mapping], NOW)
    second = ingest_landing(tmp_path, warehouse, SETTINGS, [mapping], NOW)
    warehouse.execute("insert into shop.orders values (2, '2026-01-03 00:00:00Z', 'bob', -1, null)")
    third = ingest_landing(tmp_path, warehouse, SETTINGS, [mapping], NOW)

    assert list(first.unreadable) == ["main.absent"]
    assert (first.rows_read, second.rows_read, third.rows_read) == (1, 0, 1)
    assert fetch(warehouse, "event_id, event_name, occurred_at, user_id, value, properties") == [
        ("ann-1", "purchase", instant(2026, 1, 1, 23), "ann", Decimal("9.99"), '{"note":{"a":2,"b":1}}'),
        ("bob-2", "purchase", instant(2026, 1, 3), "bob", Decimal(-1), "{}"),
    ]
    assert warehouse.execute("select distinct arrived_at from landing.manifest").fetchall() == [
        (instant(2026, 3, 1),)
    ]


def test_nested_ndjson_by_paths_and_epochs(tmp_path: Path, warehouse: duckdb.DuckDBPyConnection) -> None:
    (tmp_path / "landing" / "deep").mkdir()
    (tmp_path / "landing" / "deep" / "x.log").write_text(
        '{"meta": {"id": "a", "ts": 1767312000123}, "user": {"Id": 7, "id": 8}, "amount": "12.5", "kind": "buy"}\n'
        '{"meta": {"id": "b", "ts": "1767312000123"}, "user": {"Id": 7}, "amount": 1}\n'
    )
    settle(tmp_path / "landing")
    mapping = source("""
        id: deep
        files: "**/*.log"
        format: ndjson
        columns:
          event_id: meta.id
          occurred_at: {column: meta.ts, format: epoch_ms}
          user_id: user.Id
          anonymous_id: user.id
          value: {column: amount, cast: number}
          event_name: kind
    """)

    ingest_landing(tmp_path, warehouse, SETTINGS, [mapping], NOW)

    assert fetch(warehouse, "event_id, occurred_at, user_id, anonymous_id, value, event_name") == [
        ("a", instant(2026, 1, 2, 0, 0, 0, 123000), "7", "8", Decimal("12.5"), "buy"),
        ("b", instant(2026, 1, 2, 0, 0, 0, 123000), "7", None, Decimal(1), None),
    ]
