"""`fairsplit upgrade`: what a version will do to a home is told, and an older home is migrated."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from tests.command import fairsplit

from fairsplit.orchestration.home.schema import SCHEMA, mark, version_of
from fairsplit.orchestration.home.upgrading import upgrade_of
from fairsplit.orchestration.project import Home
from fairsplit.orchestration.provenance.code_hash import code_hash

RECORDED = Path(__file__).with_name("schema-1.sql")


def test_an_empty_home_needs_nothing(tmp_path: Path) -> None:
    assert upgrade_of(Home(tmp_path)).lines[1:] == ["nothing has landed in this home: nothing is to be done"]


def test_results_of_other_code_are_counted_by_day(tmp_path: Path) -> None:
    """Two days of one experiment and one of another by other code, one day by this code."""
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
        mark(connection)
        connection.execute("create schema results")
        connection.execute(
            "create table results.comparisons (experiment_id text, cut_off date, code_hash text)"
        )
        rows = [
            ("a", "2026-01-05", "x"),
            ("a", "2026-01-06", "x"),
            ("b", "2026-01-06", None),
            ("c", "2026-01-07", code_hash()),
        ]
        connection.executemany("insert into results.comparisons values (?, ?, ?)", rows)
    found = upgrade_of(Home(tmp_path))
    assert (found.schema, found.migrates, found.days, found.experiments) == (SCHEMA, False, 2, 2)
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
        connection.execute("update results.comparisons set code_hash = ?", [code_hash()])
    assert upgrade_of(Home(tmp_path)).lines[1:] == ["the home is up to date: nothing is computed anew"]


@pytest.mark.integration
def test_an_older_home_is_told_then_migrated_with_a_copy(tmp_path: Path) -> None:
    warehouse = tmp_path / "warehouse.duckdb"
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute(RECORDED.read_text())
    whole = warehouse.read_bytes()
    assert "the home is of schema 1: the warehouse is copied, then migrated" in fairsplit(
        tmp_path, "upgrade", "--check"
    )
    assert warehouse.read_bytes() == whole
    fairsplit(tmp_path, "upgrade")
    assert (tmp_path / "copies" / "schema-1" / "warehouse.duckdb").read_bytes() == whole
    with duckdb.connect(str(warehouse)) as connection:
        assert version_of(connection) == SCHEMA
