"""Dagster's own databases: they remember runs and ticks, and no result stands on them."""

from __future__ import annotations

import sqlite3
from functools import partial
from typing import TYPE_CHECKING

import yaml

from fairsplit.analysis.errors import Problem
from fairsplit.orchestration.home.damage import Damage, put_aside

if TYPE_CHECKING:
    from pathlib import Path

    from fairsplit.orchestration.project import Home

_HINT = (
    "`fairsplit fsck --repair` moves it to strays/: Dagster begins a new one, and the history of runs is lost"
)


def find(home: Home) -> list[Damage]:
    """SQLite files that are no whole databases, and instance settings that are no YAML."""
    found = []
    for path in sorted(home.dagster.rglob("*.db")):
        fault = _fault(path)
        if fault:
            place = path.relative_to(home.root).as_posix()
            problem = Problem("a database of Dagster is damaged", place, fault, "a whole SQLite file", _HINT)
            found.append(Damage(problem, partial(_put_aside, home, path)))
    settings = home.dagster / "dagster.yaml"
    if settings.exists():
        try:
            is_sound = isinstance(yaml.safe_load(settings.read_text(encoding="utf-8")), dict)
        except (yaml.YAMLError, UnicodeDecodeError):
            is_sound = False
        if not is_sound:
            hint = "`fairsplit fsck --repair` moves it to strays/; the next run writes the usual ones"
            problem = Problem("Dagster's instance settings cannot be read", "dagster/dagster.yaml", hint=hint)
            found.append(Damage(problem, partial(put_aside, home, settings)))
    return found


def _fault(path: Path) -> str:
    try:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            told = connection.execute("pragma integrity_check(1)").fetchall()
        finally:
            connection.close()
    except sqlite3.Error as error:
        return str(error)
    return "" if told == [("ok",)] else str(told[0][0])


def _put_aside(home: Home, path: Path) -> None:
    for part in (path, *(path.with_name(path.name + end) for end in ("-wal", "-shm", "-journal"))):
        if part.exists():
            put_aside(home, part)
