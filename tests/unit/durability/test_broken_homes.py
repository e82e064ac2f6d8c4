"""Every broken home gets one clear sentence with its true reason, and nothing is lost."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import duckdb
import pytest

from fairsplit.orchestration.errors import OrchestrationError
from fairsplit.orchestration.home.backup import back_up
from fairsplit.orchestration.home.intents import in_hand
from fairsplit.orchestration.project import PROJECT_ROOT, Home
from fairsplit.orchestration.running.storage import dagster_instance
from fairsplit.orchestration.warehouse.opening import reader, writer

if TYPE_CHECKING:
    from pathlib import Path


def fairsplit(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from fairsplit.orchestration.cli import main; main()", *words],
        cwd=PROJECT_ROOT,
        env={**os.environ, "FAIRSPLIT_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_new_home_is_its_owners_alone(tmp_path: Path) -> None:
    """Case home-modes."""
    before = os.umask(0o022)
    try:
        home = Home(tmp_path / "home").prepare()
        with writer(home.warehouse):
            pass
    finally:
        os.umask(before)
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in [home.root, *home.root.rglob("*")]}
    assert {path.name: oct(mode) for path, mode in modes.items() if mode & 0o077} == {}


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"no database", "the warehouse cannot be read"), (b"\0" * 20_000, "the warehouse cannot be read")],
)
def test_a_damaged_warehouse_is_not_called_busy(tmp_path: Path, content: bytes, words: str) -> None:
    """Case damaged-or-locked-home."""
    path = tmp_path / "warehouse.duckdb"
    path.write_bytes(content)
    for opened in (reader, writer):
        with pytest.raises(OrchestrationError, match=words), opened(path):
            pass
    assert path.read_bytes() == content


def test_a_folder_or_a_pipe_in_place_of_the_warehouse_is_named(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name, words in (("folder", "the warehouse is a folder"), ("pipe", "the warehouse is no file")):
        for opened in (reader, writer):
            with pytest.raises(OrchestrationError, match=words), opened(tmp_path / name):
                pass


def test_what_cannot_be_read_or_is_not_there_is_not_backed_up(tmp_path: Path) -> None:
    """Case damaged-or-locked-home: a backup of it would be found out when it is needed."""
    home = Home(tmp_path / "home").prepare()
    with writer(home.warehouse) as connection:
        connection.execute(
            "create table fct_values as select md5(i::varchar) as v from range(200_000) as t (i)"
        )
        connection.execute("create schema landing")
        connection.execute("create table landing.lake_files as select 'lake/a.parquet' as path")
    with pytest.raises(OrchestrationError, match="lake files are missing"):
        back_up(home, tmp_path / "without", lambda _: None)
    (home.root / "lake").mkdir()
    (home.root / "lake" / "a.parquet").touch()
    back_up(home, tmp_path / "whole", lambda _: None)
    content = bytearray(home.warehouse.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 9] = b"\xff" * 9
    home.warehouse.write_bytes(content)
    with pytest.raises(OrchestrationError, match="the warehouse is damaged"):
        back_up(home, tmp_path / "damaged", lambda _: None)
    assert not (tmp_path / "damaged" / "backup.json").exists()


def test_who_holds_the_warehouse_is_named(tmp_path: Path) -> None:
    path = tmp_path / "warehouse.duckdb"
    duckdb.connect(str(path)).close()
    holder = subprocess.Popen(
        [sys.executable, "-c", f"import duckdb; c = duckdb.connect({str(path)!r}); print(1, flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        holder.stdout.readline()
        with (
            pytest.raises(
                OrchestrationError,
                match=rf"a run holds the warehouse .process {holder.pid}, which began at 20\d\d-.* UTC",
            ),
            reader(path),
        ):
            pass
    finally:
        holder.communicate(b"\n")


def test_a_second_run_is_refused_before_it_does_anything(tmp_path: Path) -> None:
    home = Home(tmp_path).prepare()
    with in_hand(home, "run"):
        for words in (("run",), ("backfill", "2026-01-05", "2026-01-06")):
            done = fairsplit(tmp_path, *words)
            assert done.returncode == 1
            said = done.stderr.splitlines()[-1]
            assert said.startswith("error: ")
            assert f"another `fairsplit run` goes on (process {os.getpid()}, since 20" in said
    assert not home.warehouse.exists()


def test_a_home_that_is_a_file_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")
    done = fairsplit(tmp_path / "home", "run")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert str(tmp_path / "home") in line


def test_an_empty_id_is_nobodys(tmp_path: Path) -> None:
    """Case erase-of-common-words."""
    done = fairsplit(tmp_path, "erase", "")
    assert (done.returncode, done.stderr) == (1, "error: UNIT: is empty ('': the id of one unit)\n")


@pytest.mark.parametrize("name", ["history/runs.db", "schedules/schedules.db"])
def test_damaged_storage_of_dagster_is_one_sentence(tmp_path: Path, name: str) -> None:
    """Case damaged-or-locked-home: Dagster's database is overwritten."""
    home = Home(tmp_path / "home").prepare()
    with dagster_instance(home):
        pass
    (home.dagster / name).write_bytes(b"no database " * 1_000)
    with (
        pytest.raises(OrchestrationError, match="Dagster's storage cannot be used"),
        dagster_instance(home) as instance,
    ):
        instance.get_runs(limit=1)
