"""Processes that live as long as the command that started them, and not longer."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from fairsplit.orchestration.project import Project

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairsplit.orchestration.project import Home

_GRACE_SECONDS = 10.0
_LOOK_SECONDS = 0.2


def run_together(home: Home, *modules: Sequence[str]) -> int:
    """Run Python modules beside each other until one of them ends or this process is told to; then all end.

    Args:
        home: Prepared home, which is told to them as `FAIRSPLIT_HOME` and `DAGSTER_HOME`; the project is told too.
        modules: Name and arguments of each.

    Returns:
        Exit code of the one that ended by itself; 0 where a signal ended them.
    """
    environment = {
        **os.environ,
        "FAIRSPLIT_HOME": str(home.root),
        "FAIRSPLIT_PROJECT": str(Project.current().root),
        "DAGSTER_HOME": str(home.dagster),
    }
    asked: list[int] = []
    for stop in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(stop, lambda number, _: asked.append(number))
    _create_storage(home)
    started: list[subprocess.Popen[bytes]] = []
    try:
        for module in modules:
            # A group of its own: a webserver, a daemon and each code server have children.
            command = [sys.executable, "-m", *module]
            started.append(subprocess.Popen(command, env=environment, start_new_session=True))
        while not asked:
            for process in started:
                if process.poll() is not None:
                    return process.returncode
            time.sleep(_LOOK_SECONDS)
        return 0
    finally:
        _end(started)


def _create_storage(home: Home) -> None:
    """Make Dagster's databases where they are missing: two processes that do so at once break each other."""
    # Its import takes seconds, which a command that refuses its options need not wait.
    from fairsplit.orchestration.running.storage import dagster_instance  # noqa: PLC0415

    with (home.dagster / ".creating").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with dagster_instance(home):
            pass


def _end(started: Sequence[subprocess.Popen[bytes]]) -> None:
    """Nobody of the groups outlives the command: after a while of grace they are killed."""
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
    until = time.monotonic() + _GRACE_SECONDS
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            while time.monotonic() < until:
                process.poll()  # its own entry would keep the group
                os.killpg(process.pid, 0)
                time.sleep(0.1)
            os.killpg(process.pid, signal.SIGKILL)
