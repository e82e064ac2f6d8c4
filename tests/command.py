"""The command line in a process of its own, as a user runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def fairsplit(home: Path, *arguments: str, catalog: Path | None = None) -> str:
    """Run a command to its end and return what it printed.

    Raises:
        RuntimeError: It exited with another code than 0; its last words are in the message.
    """
    settings = {"FAIRSPLIT_HOME": str(home)} | ({"FAIRSPLIT_CATALOG": str(catalog)} if catalog else {})
    done = subprocess.run(
        [sys.executable, "-c", "from fairsplit.orchestration.cli import main; main()", *arguments],
        cwd=ROOT,
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(
            f"fairsplit {' '.join(arguments)} failed:\n{done.stdout[-2000:]}{done.stderr[-4000:]}"
        )
    return done.stdout
