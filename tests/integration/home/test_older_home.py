"""A home of the release before is refused in one sentence by what reads, and migrated by `run`."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from tests.command import fairsplit
from tests.oracle.homes import table_hashes

from fairsplit.orchestration.errors import OrchestrationError
from fairsplit.orchestration.home.schema import SCHEMA
from fairsplit.orchestration.warehouse.opening import reader

pytestmark = pytest.mark.integration

RECORDED = Path(__file__).with_name("schema-1.sql")
READING = (
    ["results"],
    ["explain", "checkout_cta", "checkout_conversion"],
    ["replay", "checkout_cta", "--as-of", "2026-01-08"],
    ["status"],
    ["segments"],
    ["export"],
    ["prune"],
    ["erase", "user-1"],
)


def columns_of(connection: duckdb.DuckDBPyConnection, database: str) -> dict[tuple[str, str], list[str]]:
    return {
        (schema, table): names
        for schema, table, names in connection.execute(
            """select schema_name, table_name, list(column_name order by column_index) from duckdb_columns()
               where database_name = ? and not internal group by all""",
            [database],
        ).fetchall()
    }


def of_the_release_before(home: Path) -> None:
    """Put the rows of a home of today into the tables that the release before had, column by column."""
    new = home / "warehouse.duckdb"
    old = home / "older.duckdb"
    with duckdb.connect(str(old)) as connection:
        connection.execute(RECORDED.read_text())
        connection.execute(f"attach '{new}' as today (read_only)")
        today, before = columns_of(connection, "today"), columns_of(connection, "older")
        for schema, table in before.keys() & today.keys():
            names = ", ".join(f'"{name}"' for name in before[schema, table] if name in today[schema, table])
            connection.execute(
                f'insert into "{schema}"."{table}" ({names}) select {names} from today."{schema}"."{table}"'
            )
        connection.execute("detach today")
    old.replace(new)


def test_an_older_home_is_refused_and_then_migrated(small: Path) -> None:
    """Case older-home."""
    expected = table_hashes(small / "warehouse.duckdb")
    of_the_release_before(small)
    whole = (small / "warehouse.duckdb").read_bytes()
    for words in READING:
        with pytest.raises(
            RuntimeError, match=r"error: .*older version of Fairsplit .schema 1.*fairsplit run"
        ) as told:
            fairsplit(small, *words)
        assert "Traceback" not in str(told.value)
    assert (small / "warehouse.duckdb").read_bytes() == whole

    fairsplit(small, "run")
    assert table_hashes(small / "warehouse.duckdb") == expected
    assert (small / "copies" / "schema-1" / "warehouse.duckdb").read_bytes() == whole
    with reader(small / "warehouse.duckdb") as connection:
        unchecked = "select path from landing.lake_files where sha256 is null or bytes is null"
        assert connection.execute(unchecked).fetchall() == []
        assert connection.execute("select count(*) from journal.publications").fetchall() == [(1,)]
    fairsplit(small, "results")


def test_a_newer_home_is_refused(small: Path) -> None:
    with duckdb.connect(str(small / "warehouse.duckdb")) as connection:
        connection.execute("update landing.schema_version set version = version + 1")
    with (
        pytest.raises(OrchestrationError, match=f"newer version of Fairsplit \\(schema {SCHEMA + 1}"),
        reader(small / "warehouse.duckdb"),
    ):
        pass
    for command in ("run", "results"):
        with pytest.raises(RuntimeError, match="newer version of Fairsplit"):
            fairsplit(small, command)
