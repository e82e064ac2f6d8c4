"""Each command that writes, killed at instants of all its steps and asked for again: the bytes of one that was not.

What the home holds is compared as tables in order, lake files by their bytes, the configs in force, lists, the
catalogue and the journals; nothing is outstanding afterwards, and nobody who was erased is anywhere.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest
from tests.built import built
from tests.fault.killed_world import world
from tests.forks import Ended, Forks, instants
from tests.integration.demo.test_erase_command import places_of, somebody
from tests.oracle.homes import table_hashes

from fairsplit.assignment_exports.publishing import publish, verify_version
from fairsplit.orchestration.home.restore import verify

pytestmark = [pytest.mark.fault, pytest.mark.slow]
_LOG = logging.getLogger("fairsplit.kills")


@dataclass(frozen=True)
class Command:
    """A command and how the world is made ready for it.

    Attributes:
        words: With `{folder}`, `{user}` and `{backup}` to be filled in.
        ready: Done to a fresh copy of the world before.
        kills: How many of the two hundred.
        other: Another command that finishes what was begun, taken in turns; none where only itself does.
    """

    words: tuple[str, ...]
    kills: int
    ready: Callable[[Path], None] = lambda _: None
    other: tuple[str, ...] = ()


def a_day_lands(folder: Path) -> None:
    shutil.copytree(folder / "waiting", folder / "home" / "landing", dirs_exist_ok=True)


def an_arm_is_stopped(folder: Path) -> None:
    path = folder / "catalog" / "experiments" / "fresh.yaml"
    path.write_text(path.read_text().replace("status: draft", "status: running"))


def a_second_version(folder: Path) -> None:
    """Of other content than the first."""
    publish(folder / "home" / "exports", {"ufc.json": b"{}\n"}, {"acts": []})


def nothing_there(folder: Path) -> None:
    shutil.rmtree(folder / "home")


COMMANDS = {
    "run": Command(("run",), 6, a_day_lands),
    "erase": Command(("erase", "{user}"), 6, other=("run",)),
    "prune": Command(("prune", "--yes"), 27, other=("export",)),
    "experiment start": Command(
        ("experiment", "start", "fresh", "--reason", "QA passed", "--at", "2026-02-02"), 27
    ),
    "export": Command(("export",), 27, an_arm_is_stopped),
    "export --rollback": Command(("export", "--rollback"), 27, a_second_version),
    "assign": Command(("assign", "new", "--population", "{folder}/people.parquet"), 27),
    "backup": Command(("backup", "{folder}/copy"), 27),
    "restore": Command(("restore", "{backup}"), 27, nothing_there),
}
#: In continuous integration: one of the dear ones, three of the others.
SAMPLE = {name: 1 if command.kills < 10 else 3 for name, command in COMMANDS.items()}


#: Folders of a home whose files are replaced and never written to: a copy may share them.
SHARED = {"lake", "landing", "exports", "site", "assignments", "data-docs", "dbt-docs"}


class Desk:
    """The world in one place, put back before each command, so that the views of its warehouse fit."""

    def __init__(self, folder: Path) -> None:
        self.kept, self.folder, self.backup = folder / "kept", folder / "world", folder / "backup"
        built(self.folder, world)
        self.user, self.ids = somebody(self.folder / "home")
        self.forks = Forks(folder)
        assert self.run(("backup", "{backup}")).code == 0
        self.folder.rename(self.kept)

    def put_back(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(self.kept, self.folder, symlinks=True, copy_function=self._copy)

    def _copy(self, source: str, target: str) -> None:
        parts = Path(source).relative_to(self.kept).parts
        if parts[0] == "home" and parts[1] in SHARED:
            os.link(source, target)
        else:
            shutil.copy2(source, target)

    def run(self, words: tuple[str, ...], killed_at: Any = None) -> Ended:
        filled = [word.format(folder=self.folder, user=self.user, backup=self.backup) for word in words]
        places = {
            "FAIRSPLIT_HOME": str(self.folder / "home"),
            "FAIRSPLIT_CATALOG": str(self.folder / "catalog"),
        }
        return self.forks.watch({**os.environ, **places}, filled, killed_at)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    desk = Desk(tmp_path_factory.mktemp("kills"))
    yield desk
    desk.forks.close()


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def state(folder: Path) -> dict[str, Any]:
    """All that must be equal; names of lake files aside, which tell how often a content was written."""
    home, catalog = folder / "home", folder / "catalog"
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as connection:
        lake = connection.execute(
            "select event_day, rows, sha256, path from landing.lake_files order by all"
        ).fetchall()
        pruned = connection.execute("select experiment_id, rows from journal.pruned order by all").fetchall()
    for _, _, sha256, path in lake:
        assert digest(home / path) == sha256
    assert len(list(home.glob("lake/*/*.parquet"))) == len(lake)
    current = (home / "exports" / "current").resolve()
    assert verify_version(current) == []
    log = catalog / "transitions.ndjson"
    entries = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    return {
        "tables": table_hashes(home / "warehouse.duckdb"),
        "lake": [(day, rows, sha256) for day, rows, sha256, _ in lake],
        "pruned": pruned,
        "configs": json.loads((current / "manifest.json").read_text())["content"],
        "withdrawn": [path.read_text() for path in home.glob("exports/withdrawn.json")],
        "lists": {path.name: digest(path) for path in home.glob("assignments/[!.]*")},
        "catalogue": {path.name: digest(path) for path in catalog.rglob("*.yaml")},
        "log": [{key: value for key, value in entry.items() if key != "at"} for entry in entries],
        "outstanding": [path.name for path in home.glob("begun/[!.]*")] + list(catalog.glob(".*.json")),
        "strays": [path.name for path in home.glob("strays/**/*") if path.is_file()],
        "half written": [
            path.name
            for path in [
                *home.glob("exports/.staging-*"),
                *home.glob("site/versions/.*"),
                home / ".restoring",
            ]
            if path.exists()
        ],
        "backup": len(verify(folder / "copy")["files"]) if (folder / "copy").exists() else 0,
    }


def kill_all(desk: Desk, name: str, number: int) -> int:
    """Kill a command at so many instants, go on each time, and compare; how many were killed before their end."""
    command = COMMANDS[name]
    desk.put_back()
    command.ready(desk.folder)
    calm = desk.run(command.words)
    assert calm.code == 0, calm.said
    expected = state(desk.folder)
    assert expected["outstanding"] == expected["half written"] == []
    draw = random.Random(f"{name} {os.environ.get('KILLS_SEED', '')}")  # noqa: S311
    killed = 0
    for place, instant in enumerate(instants(calm, number, draw)):
        desk.put_back()
        command.ready(desk.folder)
        first = desk.run(command.words, instant)
        killed += first.code is None
        if first.code is None:
            # Another command finishes what was begun; what had not begun is done afterwards.
            for words in (command.other, command.words) if place % 2 else (command.words,):
                again = desk.run(words) if words else first
                assert again.code in {None, 0, 1}, (instant, again.said)
        found = state(desk.folder)
        different = {key: (found[key], expected[key]) for key in expected if found[key] != expected[key]}
        assert not different, (name, instant, first.said, different)
        if name == "erase":
            assert places_of(desk.folder / "home", {desk.user}) == set(), instant
    return killed


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_that_is_killed_and_asked_for_again_leaves_the_same_bytes(desk: Desk, name: str) -> None:
    number = COMMANDS[name].kills if os.environ.get("EVERY_KILL") else SAMPLE[name]
    killed = kill_all(desk, name, number)
    _LOG.info("%s: killed at %d of %d instants", name, killed, number)
    assert killed
