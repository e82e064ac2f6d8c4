"""The command line in a process of its own: a fork of one that has imported everything (tests/forks.py)."""

from __future__ import annotations

import atexit
import functools
import os
import tempfile
from pathlib import Path

from tests.forks import Forks

ROOT = Path(__file__).resolve().parents[1]


def fairsplit(home: Path, *arguments: str, catalog: Path | None = None) -> str:
    """Run a command to its end and return what it printed.

    Raises:
        RuntimeError: It exited with another code than 0; its last words are in the message.
    """
    settings = {"FAIRSPLIT_HOME": str(home)} | ({"FAIRSPLIT_CATALOG": str(catalog)} if catalog else {})
    done = _forks().run({**os.environ, **settings}, arguments)
    if done.code:
        raise RuntimeError(
            f"fairsplit {' '.join(arguments)} failed:\n{done.printed[-2000:]}{done.errors[-4000:]}"
        )
    return done.printed


@functools.cache
def _forks() -> Forks:
    folder = tempfile.TemporaryDirectory(prefix="fairsplit-forks-")
    forks = Forks(Path(folder.name))
    atexit.register(folder.cleanup)
    atexit.register(forks.close)
    return forks
