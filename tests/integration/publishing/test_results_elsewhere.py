"""`fairsplit publish --to`: judged rows in DuckDB, SQLite and Postgres; again, after a change, cut off."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import polars as pl
import pytest
from tests.postgres import postgres_server

from fairsplit.analysis.catalogue.sources import Database
from fairsplit.analysis.errors import FairsplitError
from fairsplit.analysis.judgement.rows import ALLOCATIONS, COMPARISONS, DECISIONS
from fairsplit.orchestration.publishing.warehouses import write_results
from fairsplit.orchestration.publishing.warehouses.targets import destination, qualified, target

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.integration
TABLES = {"comparisons": COMPARISONS, "decisions": DECISIONS, "allocations": ALLOCATIONS}
DAYS = (date(2026, 1, 5), date(2026, 1, 6))


@pytest.fixture
def judged() -> Iterator[duckdb.DuckDBPyConnection]:
    """Two experiments, one with an apostrophe in its words, over two days; no bandit."""
    with duckdb.connect() as connection:
        connection.execute("create schema results")
        for name, schema in TABLES.items():
            connection.register("empty", pl.DataFrame(schema=schema))
            connection.execute(f"create table results.{name} as from empty")
        for day in DAYS:
            for experiment in ("basket", "it"):
                insert(connection, experiment, day, 1.5)
        yield connection


def insert(connection: duckdb.DuckDBPyConnection, experiment: str, day: date, mean: float) -> None:
    connection.execute(
        "insert into results.comparisons by name select ? as experiment_id, ?::date as cut_off, 'revenue' as metric, "
        "'control' as variant_id, ?::double as mean, 7 as n, "
        "[{requirement: 'skew', rule: 'r', required: 1.0, observed: 0.5, met: false}] as requirements",
        [experiment, day, mean],
    )
    connection.execute(
        "insert into results.decisions by name select ? as experiment_id, ?::date as cut_off, ? as sentence, "
        "['a'] as reasons",
        [experiment, day, f"it's {mean}"],
    )


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    with postgres_server() as address:
        yield address


@pytest.fixture(params=["duckdb", "sqlite", "postgresql"])
def there(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Database, str]:
    """A database and the schema there."""
    driver, schema = request.param, "" if request.param == "sqlite" else request.node.name.partition("[")[0]
    if driver != "duckdb":
        pytest.importorskip(f"adbc_driver_{driver}")
    address = (
        request.getfixturevalue("postgres") if driver == "postgresql" else str(tmp_path / f"there.{driver}")
    )
    monkeypatch.setenv("THERE", address)
    return Database(driver=driver, uri_from="THERE"), schema


def written(judged: duckdb.DuckDBPyConnection, there: tuple[Database, str]) -> list[tuple[int, int, int]]:
    with target(*there) as connection:
        return [
            (one.rows, one.replaced, one.unchanged) for one in write_results(judged, connection, there[1])
        ]


def read(there: tuple[Database, str], table: str, columns: str) -> list[tuple[Any, ...]]:
    with target(*there) as connection:
        name = qualified(there[1], table)
        rows = connection.execute(f"select experiment_id, cut_off, {columns} from {name} order by 1, 2")
    return [(one, str(day), *rest) for one, day, *rest in rows]


def test_once_again_and_a_day_that_changed(
    judged: duckdb.DuckDBPyConnection, there: tuple[Database, str]
) -> None:
    """By hand: four days of experiments; again nothing; then one day differs, one experiment is gone, one is new."""
    assert written(judged, there) == [(4, 0, 0), (4, 0, 0), (0, 0, 0)]
    first = read(there, "fairsplit_results", "mean, n")
    assert first == [(one, str(day), 1.5, 7) for one in ("basket", "it") for day in DAYS]
    assert written(judged, there) == [(0, 0, 4), (0, 0, 4), (0, 0, 0)]
    assert read(there, "fairsplit_results", "mean, n") == first

    judged.execute(
        "update results.comparisons set mean = 2 where experiment_id = 'basket' and cut_off = '2026-01-06'"
    )
    judged.execute("delete from results.comparisons where experiment_id = 'it'")
    insert(judged, "new", DAYS[1], 3)
    assert written(judged, there) == [(2, 3, 1), (1, 0, 4), (0, 0, 0)]
    assert read(there, "fairsplit_results", "mean") == [
        ("basket", "2026-01-05", 1.5),
        ("basket", "2026-01-06", 2.0),
        ("new", "2026-01-06", 3.0),
    ]
    assert written(judged, there) == [(0, 0, 3), (0, 0, 5), (0, 0, 0)]


def test_lists_are_json_and_texts_stay_as_they_are(
    judged: duckdb.DuckDBPyConnection, there: tuple[Database, str]
) -> None:
    written(judged, there)
    ((_, _, requirements), *_) = read(there, "fairsplit_results", "requirements")
    assert json.loads(requirements) == [
        {"requirement": "skew", "rule": "r", "required": 1.0, "observed": 0.5, "met": False}
    ]
    ((_, _, sentence, reasons), *_) = read(there, "fairsplit_decisions", "sentence, reasons")
    assert (sentence, json.loads(reasons)) == ("it's 1.5", ["a"])


def test_what_is_cut_off_leaves_what_was_there(
    judged: duckdb.DuckDBPyConnection, there: tuple[Database, str]
) -> None:
    written(judged, there)
    before = read(there, "fairsplit_results", "mean")
    judged.execute("update results.comparisons set mean = 9")
    with pytest.raises(FairsplitError), target(*there) as connection:  # noqa: PT012
        write_results(judged, connection, there[1])
        raise RuntimeError("the machine stops")
    assert read(there, "fairsplit_results", "mean") == before
    assert written(judged, there)[0] == (4, 4, 0)


def test_a_table_with_other_columns_is_made_anew(
    judged: duckdb.DuckDBPyConnection, there: tuple[Database, str]
) -> None:
    """As it would be after an upgrade that adds a column."""
    written(judged, there)
    with target(*there) as connection:
        connection.execute(f"alter table {qualified(there[1], 'fairsplit_results')} drop column mean")
    assert written(judged, there)[0] == (4, 0, 0)
    assert len(read(there, "fairsplit_results", "mean")) == 4


@pytest.mark.parametrize(
    "text", ["delta:LAKE", "postgresql", "oracle:X", "postgresql://me:secret@host/db", "duckdb:a b"]
)
def test_what_is_no_database_is_refused_without_a_password(text: str) -> None:
    with pytest.raises(FairsplitError, match=r"names no database|is read and not written") as refused:
        destination(text)
    assert "secret" not in str(refused.value)


def test_a_variable_that_is_not_set_and_a_driver_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    for driver, value, said in (("duckdb", "", "not set"), ("snowflake", "x", "driver is not installed")):
        monkeypatch.setenv("THERE", value)
        with pytest.raises(FairsplitError, match=said), target(Database(driver=driver, uri_from="THERE"), ""):
            pass
