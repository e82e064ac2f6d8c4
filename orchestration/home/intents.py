"""What a command of several steps is about to do, written down before the first and removed after the last."""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from fairsplit.analysis.errors import Problem
from fairsplit.assignment_exports.durable import replace_durably
from fairsplit.orchestration.errors import OrchestrationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from fairsplit.orchestration.project import Home

_FOLDER = "begun"


def begin(home: Home, command: str, facts: Mapping[str, Any]) -> None:
    """Write down what a command does, so that whoever comes next can carry it out.

    Args:
        home: The home.
        command: Its name; one act of a command at a time.
        facts: All that its steps need, as JSON.
    """
    path = _path(home, command)
    path.parent.mkdir(exist_ok=True)
    replace_durably(path, json.dumps(facts).encode())


def begun(home: Home, command: str) -> dict[str, Any] | None:
    """What a command had begun and not ended; none in a home at rest."""
    path = _path(home, command)
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def ended(home: Home, command: str) -> None:
    """The last step is done."""
    _path(home, command).unlink(missing_ok=True)


def outstanding(home: Home) -> list[str]:
    """Names of commands that were begun and not ended."""
    return sorted(path.stem for path in (home.root / _FOLDER).glob("[a-z]*.json"))


@contextmanager
def in_hand(home: Home, command: str) -> Iterator[None]:
    """Be the one process that carries the steps of a command out; the kernel lets go of it when the process dies.

    Raises:
        OrchestrationError: Another process does.
    """
    path = _lock(home, command)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip() or "another process"
            rule, hint = "one at a time", "ask again when it has ended"
            raise OrchestrationError(
                Problem(f"another `fairsplit {command}` goes on", str(home.root), holder, rule, hint)
            ) from None
        lock.truncate(0)
        lock.write(f"process {os.getpid()}, since {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC\n")
        lock.flush()
        yield


def is_in_other_hands(home: Home, command: str) -> bool:
    """Whether another process that lives carries the command's steps out."""
    path = _lock(home, command)
    if not path.exists():
        return False
    with path.open(encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return not lock.read().startswith(f"process {os.getpid()},")
    return False


def _lock(home: Home, command: str) -> Path:
    return home.root / _FOLDER / f".{command}.lock"


def _path(home: Home, command: str) -> Path:
    return home.root / _FOLDER / f"{command}.json"
