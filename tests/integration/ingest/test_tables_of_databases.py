"""Sources that are tables of databases: the events that files give; late rows, restarts, and loud faults."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest
import yaml

from fairsplit.analysis.catalogue.sources import Source
from fairsplit.orchestration.landing import IngestSettings, ingest_landing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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
    """A database with a table of orders."""

    driver: str
    address: str
    execute: Callable[[str], object]

    def write(self, *rows: tuple[int, str, str, str]) -> None:
        for number, made_at, customer, total in rows:
            name = customer.replace("'", "''")
            self.execute(f"insert into orders values ({number}, '{made_at}', '{name}', '{total}')")


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of the distribution on a socket of its own; it refuses to run as root."""
    pytest.importorskip("adbc_driver_postgresql")
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin")) if Path("/usr/lib/postgresql").is_dir() else []
    if not places:
        pytest.skip("no PostgreSQL of the distribution")
    folder = tmp_path_factory.mktemp("postgres")
    prefix = []
    if os.geteuid() == 0:
        if shutil.which("runuser") is None:
            pytest.skip("no runuser to run PostgreSQL by")
        prefix = ["runuser", "-u", "postgres", "--"]
        for place in (folder, *folder.parents[:2]):
            place.chmod(0o755)
        shutil.chown(folder, "postgres")
    data = folder / "data"
    subprocess.run(
        [*prefix, places[-1] / "initdb", "-D", data, "-A", "trust", "-U", "shop"],
        check=True,
        capture_output=True,
    )
    options = f"-k {folder} -c listen_addresses='' -c fsync=off"
    control = [*prefix, places[-1] / "pg_ctl", "-D", data, "-w"]
    subprocess.run(
        [*control, "-l", folder / "log", "-o", options, "start"], check=True, stdout=subprocess.DEVNULL
    )
    try:
        yield f"postgresql:///postgres?host={folder}&user=shop"
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], check=False, capture_output=True)


@pytest.fixture(params=["duckdb", "sqlite", "postgresql"])
def shop(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    driver = request.param
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


def source(driver: str) -> Source:
    return Source.model_validate(yaml.safe_load(MAPPING.replace("DRIVER", driver)))


def events(folder: Path, sources: list[Source]) -> tuple[list[tuple[object, ...]], dict[str, str], int]:
    with duckdb.connect(str(folder / "warehouse.duckdb")) as connection:
        report = ingest_landing(folder, connection, SETTINGS, sources, NOW)
        rows = connection.execute(
            "select event_id, event_name, occurred_at, user_id, value from landing.raw_events order by event_id"
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
    first, unreadable, count = events(home, [source(shop.driver)])
    assert (unreadable, count) == ({}, 3)
    assert first == as_file(tmp_path / "by-file", ROWS)
    assert events(home, [source(shop.driver)]) == (first, {}, 0)
    shop.write(LATE, TOO_LATE)
    second, unreadable, count = events(home, [source(shop.driver)])
    assert (unreadable, count) == ({}, 1)
    assert second == as_file(tmp_path / "with-late", [*ROWS, LATE])


def test_a_read_that_was_cut_off_begins_again(shop: Shop, home: Path, tmp_path: Path) -> None:
    shop.write(*ROWS)
    (home / "landing" / "tables" / "shop").mkdir(parents=True)
    (home / "landing" / "tables" / "shop" / ".new.tmp").write_bytes(b"PAR1 half a file")
    assert events(home, [source(shop.driver)])[0] == as_file(tmp_path / "by-file", ROWS)


def test_a_missing_table_is_said_and_what_was_taken_stays(shop: Shop, home: Path) -> None:
    assert events(home, [source(shop.driver)])[1] == {"orders": "the table is empty"}
    shop.write(*ROWS)
    before = events(home, [source(shop.driver)])[0]
    shop.execute("alter table orders rename to away")
    after, unreadable, _ = events(home, [source(shop.driver)])
    shop.execute("alter table away rename to orders")
    assert after == before
    assert list(unreadable) == ["orders"]
    assert "orders" in unreadable["orders"]
    assert shop.address not in unreadable["orders"]


def test_a_new_column_takes_nothing_away_and_adds_no_event(shop: Shop, home: Path) -> None:
    shop.write(*ROWS)
    before = events(home, [source(shop.driver)])[0]
    shop.execute("alter table orders add column note varchar(10)")
    shop.execute("insert into orders values (6, '2026-01-05 00:00:00', 'fay', '3', 'x')")
    after, unreadable, _ = events(home, [source(shop.driver)])
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
