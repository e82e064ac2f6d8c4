"""What a command of several steps is about to do, written down before the first and removed after the last."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from fairsplit.assignment_exports.durable import replace_durably

if TYPE_CHECKING:
    from collections.abc import Mapping
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


def _path(home: Home, command: str) -> Path:
    return home.root / _FOLDER / f"{command}.json"
