"""Sources that are tables of databases: the events that files give; late rows, restarts, and loud faults."""

from __future__ import annotations

import os
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pytest
import yaml
from tests.postgres import postgres_server

from fairsplit.analysis.catalogue.sources import Source
from fairsplit.orchestration.landing import IngestSettings, ingest_landing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

pytestmark = pytest.mark.integration
NOW = datetime(2026, 3, 1, tzinfo=UTC)
SETTINGS = IngestSettings(datetime(2026, 1, 1, tzinfo=UTC).date())
ROWS = [
    (1, "2026-01-02 10:00:00", "ann", "9.99"),
    (2, "2026-01-03 11:30:00", "Bob O'Hara", "-1.50"),
    (3, "2026-01-04 00:00:00", "çelik", "0.000001"),
]
LATE = (4, "2026-01-03 09:00:00", "dee", "7")
TOO_LATE = (5, "2026-01-01 09:00:00", "eve", "8")
MAPPING = """
    id: shop
    table: orders
    from: {driver: DRIVER, uri_from: SHOP_DATABASE}
    watermark: {column: made_at, look_back: 1d}
    timezone: UTC
    columns: {event_id: id, user_id: customer, occurred_at: made_at, value: {column: total, cast: number}}
    constants: {event_name: purchase}
"""


@dataclass
class Shop:
    """A database with a table of orders, by SQL."""

    driver: str
    address: str
    execute: Callable[[str], object]
    table: str = "orders"

    def write(self, *rows: tuple[int, str, str, str]) -> None:
        for number, made_at, customer, total in rows:
            name = customer.replace("'", "''")
            self.execute(f"insert into orders values ({number}, '{made_at}', '{name}', '{total}')")

    def write_with_note(self, row: tuple[int, str, str, str], note: str) -> None:
        self.execute("alter table orders add column note varchar(10)")
        number, *texts = row
        values = ", ".join(f"'{text}'" for text in (*texts, note))
        self.execute(f"insert into orders values ({number}, {values})")

    def take_away(self) -> None:
        self.execute("alter table orders rename to away")

    def bring_back(self) -> None:
        self.execute("alter table away rename to orders")


def arrow(rows: Sequence[tuple[int, str, str, str]], **more: Sequence[str]) -> pa.Table:
    numbers, times, customers, totals = zip(*rows, strict=True) if rows else ((), (), (), ())
    return pa.table(
        {
            "id": pa.array(numbers, pa.int64()),
            "made_at": pa.array([datetime.fromisoformat(time) for time in times], pa.timestamp("us")),
            "customer": pa.array(customers, pa.string()),
            "total": pa.array([Decimal(total) for total in totals], pa.decimal128(18, 6)),
            **more,
        }
    )


class Delta(Shop):
    """A Delta table, written by its own library."""

    def __init__(self, folder: Path) -> None:
        super().__init__("delta", str(folder), lambda _: None)
        self.write()

    def _append(self, rows: pa.Table) -> None:
        deltalake = pytest.importorskip("deltalake")
        deltalake.write_deltalake(f"{self.address}/orders", rows, mode="append", schema_mode="merge")

    def write(self, *rows: tuple[int, str, str, str]) -> None:
        self._append(arrow(rows))

    def write_with_note(self, row: tuple[int, str, str, str], note: str) -> None:
        self._append(arrow([row], note=[note]))

    def take_away(self) -> None:
        Path(self.address, "orders").rename(Path(self.address, "away"))

    def bring_back(self) -> None:
        Path(self.address, "away").rename(Path(self.address, "orders"))


class Iceberg(Shop):
    """An Iceberg table of a catalogue in SQLite, written by its own library."""

    def __init__(self, folder: Path) -> None:
        catalog = pytest.importorskip("pyiceberg.catalog")
        super().__init__("iceberg", f"sqlite:///{folder}/catalog.db", lambda _: None, "lake.shop.orders")
        self.catalog = catalog.load_catalog("lake", uri=self.address, warehouse=f"file://{folder}/tables")
        self.catalog.create_namespace("shop")
        self.orders = self.catalog.create_table("shop.orders", schema=arrow([]).schema)

    def write(self, *rows: tuple[int, str, str, str]) -> None:
        self.orders.append(arrow(rows))

    def write_with_note(self, row: tuple[int, str, str, str], note: str) -> None:
        wider = arrow([row], note=[note])
        with self.orders.update_schema() as change:
            change.union_by_name(wider.schema)
        self.orders.append(wider)

    def take_away(self) -> None:
        self.catalog.rename_table("shop.orders", "shop.away")

    def bring_back(self) -> None:
        self.catalog.rename_table("shop.away", "shop.orders")


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    with postgres_server() as address:
        yield address


@pytest.fixture(params=["duckdb", "sqlite", "postgresql", "delta", "iceberg"])
def shop(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    driver = request.param
    if driver in {"delta", "iceberg"}:
        table = {"delta": Delta, "iceberg": Iceberg}[driver](tmp_path)
        monkeypatch.setenv("SHOP_DATABASE", table.address)
        yield table
        return
    path = tmp_path / f"shop.{driver}"
    kinds = "id integer, made_at timestamp, customer varchar, total numeric(18, 6)"
    if driver == "duckdb":
        address = str(path)

        def execute(statement: str) -> None:
            with duckdb.connect(address) as connection:
                connection.execute(statement)

    elif driver == "sqlite":
        pytest.importorskip("adbc_driver_sqlite")
        address, kinds = str(path), "id integer, made_at text, customer text, total text"

        def execute(statement: str) -> None:
            with sqlite3.connect(address) as connection:
                connection.execute(statement)
            connection.close()

    else:
        address = request.getfixturevalue("postgres")
        import adbc_driver_postgresql.dbapi as driver_of_postgres  # noqa: PLC0415

        def execute(statement: str) -> None:
            with driver_of_postgres.connect(address) as connection, connection.cursor() as cursor:
                cursor.execute(statement)
                connection.commit()

    execute(f"create table orders ({kinds})")
    monkeypatch.setenv("SHOP_DATABASE", address)
    yield Shop(driver, address, execute)
    if driver == "postgresql":
        execute("drop table orders")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home" / "landing").mkdir(parents=True)
    return tmp_path / "home"


def source(driver: str, table: str = "orders") -> Source:
    text = MAPPING.replace("DRIVER", driver).replace("table: orders", f"table: {table}")
    return Source.model_validate(yaml.safe_load(text))


def events(folder: Path, sources: list[Source]) -> tuple[list[tuple[object, ...]], dict[str, str], int]:
    with duckdb.connect(str(folder / "warehouse.duckdb")) as connection:
        report = ingest_landing(folder, connection, SETTINGS, sources, NOW)
        rows = connection.execute(
            "select * exclude (file_hash, row_md5) from landing.raw_events order by event_id"
        ).fetchall()
    return rows, report.unreadable, report.rows_read


def as_file(folder: Path, rows: list[tuple[int, str, str, str]]) -> list[tuple[object, ...]]:
    """The events of the same rows in a CSV file."""
    (folder / "landing").mkdir(parents=True)
    lines = [",".join((str(number), *rest)) for number, *rest in rows]
    (folder / "landing" / "orders.csv").write_text("id,made_at,customer,total\n" + "\n".join(lines) + "\n")
    long_ago = datetime(2026, 2, 1, tzinfo=UTC).timestamp()
    os.utime(folder / "landing" / "orders.csv", (long_ago, long_ago))
    mapping = yaml.safe_load(MAPPING.replace("DRIVER", "duckdb"))
    del mapping["from"], mapping["table"], mapping["watermark"]
    found, unreadable, _ = events(folder, [Source.model_validate(mapping | {"files": "orders.csv"})])
    assert not unreadable
    return found


def test_the_same_events_as_from_a_file_once_and_then_what_is_new(
    shop: Shop, home: Path, tmp_path: Path
) -> None:
    """A row that comes late inside the look-back is taken; one that comes later than it is not."""
    shop.write(*ROWS)
    first, unreadable, count = events(home, [source(shop.driver, shop.table)])
    assert (unreadable, count) == ({}, 3)
    assert first == as_file(tmp_path / "by-file", ROWS)
    assert events(home, [source(shop.driver, shop.table)]) == (first, {}, 0)
    shop.write(LATE, TOO_LATE)
    second, unreadable, count = events(home, [source(shop.driver, shop.table)])
    assert (unreadable, count) == ({}, 1)
    assert second == as_file(tmp_path / "with-late", [*ROWS, LATE])


def test_a_read_that_was_cut_off_begins_again(shop: Shop, home: Path, tmp_path: Path) -> None:
    shop.write(*ROWS)
    (home / "landing" / "tables" / "shop").mkdir(parents=True)
    (home / "landing" / "tables" / "shop" / ".new.tmp").write_bytes(b"PAR1 half a file")
    assert events(home, [source(shop.driver, shop.table)])[0] == as_file(tmp_path / "by-file", ROWS)


def test_a_missing_table_is_said_and_what_was_taken_stays(shop: Shop, home: Path) -> None:
    assert events(home, [source(shop.driver, shop.table)])[1] == {shop.table: "the table is empty"}
    shop.write(*ROWS)
    before = events(home, [source(shop.driver, shop.table)])[0]
    shop.take_away()
    after, unreadable, _ = events(home, [source(shop.driver, shop.table)])
    shop.bring_back()
    assert after == before
    assert list(unreadable) == [shop.table]
    assert shop.driver == "delta" or "orders" in unreadable[shop.table]
    assert shop.address not in unreadable[shop.table]


def test_a_new_column_takes_nothing_away_and_adds_no_event(shop: Shop, home: Path) -> None:
    shop.write(*ROWS)
    before = events(home, [source(shop.driver, shop.table)])[0]
    shop.write_with_note((6, "2026-01-05 00:00:00", "fay", "3"), "x")
    after, unreadable, _ = events(home, [source(shop.driver, shop.table)])
    assert unreadable == {}
    assert after[:-1] == before
    assert after[-1][0] == "6"


@pytest.mark.parametrize(
    ("driver", "address", "said"),
    [
        ("duckdb", "", "the environment variable SHOP_DATABASE is not set"),
        ("duckdb", "/nowhere/shop.duckdb", "no such file (SHOP_DATABASE)"),
        (
            "snowflake",
            "user:secret@account",
            "the driver is not installed: `pip install adbc_driver_snowflake`",
        ),
    ],
)
def test_what_cannot_be_reached_is_one_sentence(
    driver: str, address: str, said: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_DATABASE", address)
    assert events(home, [source(driver)])[1] == {"orders": said}


def test_a_password_is_not_told(postgres: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_DATABASE", "postgresql://shop:secret@127.0.0.1:1/none")
    (said,) = events(home, [source("postgresql")])[1].values()
    assert said
    assert "secret" not in said
