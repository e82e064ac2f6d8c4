"""A full disk is called a full disk, and takes nothing away."""

from __future__ import annotations

import shutil
import sqlite3
from collections import namedtuple
from typing import TYPE_CHECKING

import pytest

from fairsplit.orchestration.home.checking import dagster_storage
from fairsplit.orchestration.home.disk import of_a_full_disk
from fairsplit.orchestration.project import Home

if TYPE_CHECKING:
    from pathlib import Path

Usage = namedtuple("Usage", "total used free")  # noqa: PYI024 - as shutil has it


def full(_: object) -> Usage:
    return Usage(10**9, 10**9 - 4096, 4096)


def test_what_failed_for_want_of_room_is_told_from_what_did_not(tmp_path: Path, monkeypatch) -> None:
    """Case damaged-or-locked-home: the words of DuckDB 1.x and of SQLite on a full disk of 20 MB."""
    said = 'Could not write file "/h/warehouse.duckdb.wal": No space left on device'
    assert of_a_full_disk(tmp_path, said).what == "the disk is full"
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**9, 0, 10**9))
    assert of_a_full_disk(tmp_path, "disk I/O error") is None
    monkeypatch.setattr(shutil, "disk_usage", full)
    for words in ("CHECKPOINT during DETACH failed.", "disk I/O error"):
        assert str(of_a_full_disk(tmp_path, words)).endswith(
            f"({words}). Hint: make room; what was landed is kept, and the next run goes on"
        )


@pytest.mark.parametrize("is_full", [True, False])
def test_a_database_that_cannot_be_read_now_is_not_called_damaged(
    tmp_path: Path, monkeypatch, is_full: bool
) -> None:
    """Or a check of a home on a full disk, or of one that may not be written, would put the history of runs away."""
    home = Home(tmp_path).prepare()
    sqlite3.connect(home.dagster / "runs.db").close()

    def refused(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(sqlite3, "connect", refused)
    if is_full:
        monkeypatch.setattr(shutil, "disk_usage", full)
    (damage,) = dagster_storage.find(home)
    assert damage.problem.what == ("the disk is full" if is_full else "a database of Dagster cannot be read")
    assert damage.mend is None


def test_a_database_with_a_log_in_a_folder_that_may_not_be_written_is_read(
    tmp_path: Path, monkeypatch
) -> None:
    home = Home(tmp_path).prepare()
    path = home.dagster / "runs.db"
    with sqlite3.connect(path) as connection:
        connection.execute("pragma journal_mode = wal")
        connection.execute("create table runs (id)")
    connection.close()
    honest = sqlite3.connect

    def no_log(database: str, **more: bool) -> sqlite3.Connection:
        if "immutable" not in database:
            raise sqlite3.OperationalError("unable to open database file")
        return honest(database, **more)

    monkeypatch.setattr(sqlite3, "connect", no_log)
    assert dagster_storage.find(home) == []
    path.write_bytes(path.read_bytes()[:4096] + b"\xff" * 4096)
    (damage,) = dagster_storage.find(home)
    assert damage.problem.what == "a database of Dagster is damaged"
    assert damage.mend is not None
