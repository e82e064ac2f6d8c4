"""What was said and done outlives the warehouse: its journals are files beside it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import duckdb
import pytest

from fairsplit.orchestration.errors import OrchestrationError
from fairsplit.orchestration.home.checking.journals import find_erasures, find_kept
from fairsplit.orchestration.landing.erasure_journal import JOURNAL
from fairsplit.orchestration.privacy.erasure import owe
from fairsplit.orchestration.project import Home
from fairsplit.orchestration.warehouse.journals import FOLDER, differing, keep
from fairsplit.orchestration.warehouse.opening import any_schema

if TYPE_CHECKING:
    from pathlib import Path

ACTS = [("2026-01-05", "promo", "pause", 0.25), ("2026-01-06", "promo", None, -1.0)]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A warehouse with acts and a ledger, told to the files."""
    home = Home(tmp_path / "home").prepare()
    with any_schema(home.warehouse) as connection:
        connection.execute("create schema results; create schema journal")
        connection.execute(
            "create table results.acts (cut_off date, experiment_id varchar, act varchar, lift double)"
        )
        connection.executemany("insert into results.acts values (?, ?, ?, ?)", ACTS)
        connection.execute("create table results.decisions as select 1 as decided")
        connection.execute(
            "create table journal.publications (publication bigint primary key, published_at timestamp)"
        )
        connection.execute("insert into journal.publications values (1, '2026-01-06 01:30:00')")
        connection.execute("create table journal.tables as select 1 as noted")
        keep(connection, home.root)
    return home


def acts(home: Home) -> list[tuple[object, ...]]:
    with any_schema(home.warehouse) as connection:
        rows = connection.execute("select cut_off::varchar, * exclude (cut_off) from results.acts").fetchall()
        assert connection.execute("from journal.publications").fetchall()
    return rows


def test_a_lost_warehouse_takes_no_act_and_no_publication_with_it(home: Home) -> None:
    names = {path.name for path in (home.root / FOLDER).iterdir()}
    assert names == {"results.acts.parquet", "journal.publications.parquet"}
    home.warehouse.unlink()
    assert acts(home) == ACTS
    # What is computed is computed anew.
    with any_schema(home.warehouse) as connection:
        tables = connection.execute("select table_name from duckdb_tables() order by 1").fetchall()
        assert tables == [("acts",), ("publications",)]
        assert differing(connection, home.root) == []


def test_a_file_is_written_when_the_table_tells_something_else(home: Home) -> None:
    file = home.root / FOLDER / "results.acts.parquet"
    before = file.stat().st_ino
    with any_schema(home.warehouse) as connection:
        keep(connection, home.root)
        assert file.stat().st_ino == before
        # Another row, another value in as many rows, another column.
        for change in (
            "insert into results.acts values ('2026-01-07', 'promo', 'resume', 0)",
            "update results.acts set act = 'stop' where act = 'resume'",
            "alter table results.acts add column version varchar",
        ):
            connection.execute(change)
            assert differing(connection, home.root) == ["results.acts"]
            keep(connection, home.root)
            assert differing(connection, home.root) == []


def test_a_damaged_file_is_named_and_nothing_begins_without_it(home: Home) -> None:
    file = home.root / FOLDER / "results.acts.parquet"
    whole = file.read_bytes()
    file.write_bytes(whole[:-20])
    with any_schema(home.warehouse) as connection:
        (damage,) = find_kept(home, connection)
    aside = home.root / "aside.duckdb"
    home.warehouse.rename(aside)
    for _ in range(2):
        with pytest.raises(OrchestrationError, match="a journal cannot be read"), any_schema(home.warehouse):
            pass
    aside.replace(home.warehouse)
    with any_schema(home.warehouse) as connection:
        (damage,) = find_kept(home, connection)
        assert damage.problem.where == "journals/results.acts.parquet"
        assert damage.mend is not None
        damage.mend()
        assert find_kept(home, connection) == []


def test_a_file_that_is_gone_is_named_and_written_again(home: Home) -> None:
    file = home.root / FOLDER / "results.acts.parquet"
    file.unlink()
    with any_schema(home.warehouse) as connection:
        (damage,) = find_kept(home, connection)
        assert (damage.problem.where, damage.problem.value) == (
            "journals/results.acts.parquet",
            "it is missing",
        )
        assert damage.mend is not None
        damage.mend()
        assert find_kept(home, connection) == []


@pytest.mark.parametrize("kind", ["a folder", "a pipe, socket or device", "a link that leads nowhere"])
def test_what_is_no_journal_of_erasures_is_named_and_never_waited_for(home: Home, kind: str) -> None:
    path = home.root / JOURNAL
    if kind == "a folder":
        path.mkdir()
    elif kind.startswith("a link"):
        path.symlink_to("nowhere")
    else:
        os.mkfifo(path)
    with pytest.raises(OrchestrationError, match=f"the journal of erasures cannot be read .{kind}"):
        owe(home)
    (damage,) = find_erasures(home, None)
    assert damage.problem.where == JOURNAL


@pytest.mark.parametrize("change", ["set act = 'stop' where lift = 0.25", "set lift = 0.5 where lift = 0.25"])
def test_a_file_that_was_edited_is_told_from_one_that_was_written(home: Home, change: str) -> None:
    """A whole Parquet file with another row: by hand, and by a tool that keeps what stands beside the rows."""
    file = home.root / FOLDER / "results.acts.parquet"
    with duckdb.connect() as tool:
        (metadata,) = tool.execute(
            f"select decode(key), decode(value) from parquet_kv_metadata('{file}') where decode(key) like 'fairsplit%'"
        ).fetchall()
        tool.execute(f"create table acts as from read_parquet('{file}')")
        tool.execute(f"update acts {change}")
        for options in ("", f", kv_metadata {{{metadata[0]}: '{metadata[1]}'}}"):
            tool.execute(f"copy acts to '{file}' (format parquet{options})")
            with any_schema(home.warehouse) as connection:
                (damage,) = find_kept(home, connection)
                assert damage.problem.where == "journals/results.acts.parquet"
                assert differing(connection, home.root) == ["results.acts"]
    home.warehouse.unlink()
    with pytest.raises(OrchestrationError, match="its rows are not those"), any_schema(home.warehouse):
        pass
