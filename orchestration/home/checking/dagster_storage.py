"""Dagster's own databases: they remember runs and ticks, and no result stands on them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import quote

import yaml

from fairsplit.analysis.errors import Problem
from fairsplit.orchestration.home.damage import Damage, put_aside
from fairsplit.orchestration.home.disk import of_a_full_disk

if TYPE_CHECKING:
    from pathlib import Path

    from fairsplit.orchestration.project import Home

_HINT = (
    "`fairsplit fsck --repair` moves it to strays/: Dagster begins a new one, and the history of runs is lost"
)
_UNREAD_HINT = "run as the owner of the home"


def find(home: Home) -> list[Damage]:
    """SQLite files that are no whole databases, and instance settings that are no YAML."""
    found = []
    for path in sorted(home.dagster.rglob("*.db")):
        place = path.relative_to(home.root).as_posix()
        try:
            fault = _fault(path)
        except sqlite3.OperationalError as error:
            # A full disk, a missing permission: nothing is known of the file, and it stays where it is.
            unknown = Problem("a database of Dagster cannot be read", place, str(error), hint=_UNREAD_HINT)
            found.append(Damage(of_a_full_disk(home.dagster, str(error)) or unknown))
            continue
        if fault:
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
    """What is damaged in a database; empty where nothing is.

    Raises:
        sqlite3.OperationalError: It cannot be read, whether or not it is damaged.
    """
    try:
        return _told(path, "mode=ro")
    except sqlite3.OperationalError:
        # With a log beside it SQLite wants to write; where it may not, the database is read without the log.
        return _told(path, "immutable=1")


def _told(path: Path, how: str) -> str:
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?{how}", uri=True)) as connection:
            told = connection.execute("pragma integrity_check(1)").fetchall()
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        return str(error)
    return "" if told == [("ok",)] else str(told[0][0])


def _put_aside(home: Home, path: Path) -> None:
    for part in (path, *(path.with_name(path.name + end) for end in ("-wal", "-shm", "-journal"))):
        if part.exists():
            put_aside(home, part)
