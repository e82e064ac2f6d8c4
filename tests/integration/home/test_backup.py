"""A backup is a home of one instant; restored it is the same to the byte, and nobody erased since comes back."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from tests.command import ROOT, fairsplit
from tests.integration.demo.test_erase_command import places_of, somebody
from tests.oracle.homes import table_hashes

from fairsplit.orchestration.errors import OrchestrationError
from fairsplit.orchestration.home.backup import back_up
from fairsplit.orchestration.home.restore import restore, verify
from fairsplit.orchestration.project import Home

pytestmark = pytest.mark.integration

#: A command that is killed before the n-th of its renames, links and removals.
KILLED = """
import os, signal, sys
left = int(sys.argv.pop(1))
def count(event, arguments):
    global left
    if event in {"os.rename", "os.link", "os.remove", "os.symlink", "shutil.copyfile"}:
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(count)
from fairsplit.orchestration.cli import main
main()
"""


def contents(home: Path) -> dict[str, str]:
    """Checksums of what a home holds, but for Dagster's databases, which SQLite copies, and what is not copied."""
    return {
        str(path.relative_to(home)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in home.rglob("*")
        if path.is_file()
        and path.relative_to(home).parts[0] not in {"dbt", "dbt.log", "copies"}
        and ".db" not in path.name
    }


def elsewhere(home: Path) -> dict[str, str]:
    """The same of a home in another place: its warehouse differs in the paths of its lake alone."""
    return contents(home) | {"warehouse.duckdb": ""} | table_hashes(home / "warehouse.duckdb")


def silent(line: str) -> None:
    del line


def killed(home: Path, writes: int, *words: str) -> bool:
    """Whether the command was killed before so many writes."""
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(writes), *words],
        cwd=ROOT,
        env={**os.environ, "FAIRSPLIT_HOME": str(home)},
        capture_output=True,
        check=False,
    )
    assert done.returncode in {0, -signal.SIGKILL}, done.stderr
    return done.returncode == -signal.SIGKILL


def test_a_restored_backup_is_the_same_home_and_a_damaged_one_changes_nothing(
    small: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    back_up(Home(small), copy, silent)
    before = contents(small)
    restore(Home(small), copy, silent, replace=True)
    assert contents(small) == before
    with pytest.raises(OrchestrationError, match="something stands there"):
        back_up(Home(small), copy, silent)
    with pytest.raises(OrchestrationError, match="the home is not empty"):
        restore(Home(small), copy, silent, replace=False)
    ufc = next(copy.rglob("ufc.json"))
    ufc.write_bytes(ufc.read_bytes()[:-1])
    with pytest.raises(OrchestrationError, match="the backup is damaged"):
        restore(Home(small), copy, silent, replace=True)
    assert contents(small) == before


def test_a_home_restored_to_another_place_works_at_once(small: Path, tmp_path: Path) -> None:
    """Views name lake files by absolute paths, and where the backup was taken nothing stands any more."""
    before = elsewhere(small)
    back_up(Home(small), tmp_path / "copy", silent)
    shutil.rmtree(small)
    place = tmp_path / "new"
    restore(Home(place), tmp_path / "copy", silent, replace=False)
    assert elsewhere(place) == before
    fairsplit(place, "explain", "checkout_cta", "checkout_conversion")


@pytest.mark.fault
@pytest.mark.parametrize("writes", [0, 30, 200])
def test_a_killed_backup_or_restore_goes_on(small: Path, tmp_path: Path, writes: int) -> None:
    copy, place = tmp_path / "copy", tmp_path / "new"
    assert killed(small, writes, "backup", str(copy))
    with pytest.raises(OrchestrationError, match="not a finished backup"):
        verify(copy)
    fairsplit(small, "backup", str(copy))
    before = elsewhere(small)
    place.mkdir()
    assert killed(place, writes, "restore", str(copy))
    fairsplit(place, "restore", str(copy))
    assert elsewhere(place) == before


@pytest.mark.slow
def test_whoever_was_erased_after_the_backup_stays_erased(small: Path, tmp_path: Path) -> None:
    """Case erased-person-comes-back, by a restore."""
    user, _ = somebody(small)
    back_up(Home(small), tmp_path / "copy", silent)
    fairsplit(small, "erase", user)
    erased = table_hashes(small / "warehouse.duckdb")
    fairsplit(small, "restore", str(tmp_path / "copy"), "--replace")
    assert places_of(small, {user}) == set()
    assert table_hashes(small / "warehouse.duckdb") == erased
    with duckdb.connect(str(small / "warehouse.duckdb"), read_only=True) as connection:
        kept = connection.execute("select id_hash from landing.erasures").fetchall()
    lines = [json.loads(line) for line in (small / "erasures.ndjson").read_text().splitlines()]
    assert {line["id_hash"] for line in lines} == {one for (one,) in kept}
