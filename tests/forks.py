"""Commands of one process that has imported everything: each runs in a fork of it, and may be killed at an instant.

A command in a process of its own spends seconds on imports; one in a fork is as much a process of its own without them.
An instant is a step of the command, the n-th of what it writes, links, removes, asks of the warehouse or starts, and
perhaps a while after it; so that the same instants are met on a fast machine and on a slow one. Started as a script it
is that process.
"""

# What the children import late is imported by the script alone, and not by the tests that start it.
# ruff: noqa: PLC0415

from __future__ import annotations

import contextlib
import importlib
import json
import os
import pkgutil
import signal
import subprocess
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).resolve().parents[1]
_STEPS = frozenset(
    {
        "os.rename",
        "os.remove",
        "os.link",
        "os.symlink",
        "os.mkdir",
        "os.rmdir",
        "os.truncate",
        "os.chmod",
        "subprocess.Popen",
    }
)


@dataclass(frozen=True, slots=True)
class Instant:
    """Before a step of a command, counted from 0, or so many seconds after its beginning."""

    step: int
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended.

    Attributes:
        code: Its exit code; none where it was killed.
        printed: What went to standard output.
        errors: What went to standard error.
        steps: When each step began, in seconds; of a command that was watched and not killed.
    """

    code: int | None
    printed: str
    errors: str
    steps: Sequence[float]

    @property
    def said(self) -> str:
        """All that it said."""
        return self.printed + self.errors


def instants(calm: Ended, number: int, draw: random.Random) -> list[Instant]:
    """Instants over a command that ran undisturbed: half of them spread over its steps, half over its time."""
    steps = calm.steps
    found = [
        Instant(min(len(steps) - 1, int((place + draw.random()) * 2 * len(steps) / number)))
        for place in range((number + 1) // 2)
    ]
    for place in range(number // 2):
        at = (place + draw.random()) * 2 * steps[-1] / number
        step = max(index for index, begun in enumerate(steps) if begun <= max(at, steps[0]))
        found.append(Instant(step, max(at - steps[step], 0.0)))
    return found


class Forks:
    """The process that waits for commands."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__)), str(folder)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, environment: Mapping[str, str], words: Sequence[str]) -> Ended:
        """Run a command to its end.

        Args:
            environment: All of its environment.
            words: The command and its arguments.
        """
        return self._run({"environment": dict(environment), "words": list(words)})

    def watch(
        self, environment: Mapping[str, str], words: Sequence[str], killed_at: Instant | None = None
    ) -> Ended:
        """Count the steps of a command, or kill it and what it has started at an instant."""
        order = {"environment": dict(environment), "words": list(words), "watched": True}
        if killed_at is not None:
            order |= {"step": killed_at.step, "seconds": killed_at.seconds}
        return self._run(order)

    def _run(self, order: dict[str, Any]) -> Ended:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        code = json.loads(self._process.stdout.readline())
        killed = code in {-signal.SIGKILL, -signal.SIGALRM}
        printed, errors = ((self._folder / name).read_text() for name in ("printed", "errors"))
        steps = () if killed else json.loads((self._folder / "steps").read_text())
        return Ended(None if killed else code, printed, errors, steps)

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


def _serve(folder: Path) -> None:
    orders = os.fdopen(os.dup(0))
    answers = os.fdopen(os.dup(1), "w")
    _import_everything(folder / "scratch")
    for line in orders:
        child = os.fork()
        if child == 0:
            _run(json.loads(line), folder)
        _, status = os.waitpid(child, 0)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)  # dbt too, which it may have started
        answers.write(f"{os.waitstatus_to_exitcode(status)}\n")
        answers.flush()


def _import_everything(scratch: Path) -> None:
    """Import what a command may need; where the world was kept from before, nobody has made dbt's manifest yet."""
    import fairsplit.orchestration
    from fairsplit.orchestration.cli import commands  # noqa: F401
    from fairsplit.orchestration.project import Home
    from fairsplit.orchestration.running.runs import _definitions
    from fairsplit.orchestration.warehouse.dbt import ensure_manifest

    ensure_manifest(Home(scratch).prepare())
    for module in pkgutil.walk_packages(fairsplit.orchestration.__path__, "fairsplit.orchestration."):
        if not module.name.startswith("fairsplit.orchestration.starting.template"):
            # What needs a library that is not installed is not needed by a command here either.
            with contextlib.suppress(ImportError):
                importlib.import_module(module.name)
    _definitions()


def _run(order: dict[str, Any], folder: Path) -> NoReturn:
    """Be the command; what it says and when its steps began goes to files."""
    from fairsplit.orchestration.cli import main

    os.setsid()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for handle, name in ((1, "printed"), (2, "errors")):
        os.dup2(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), handle)
    # Opened before the steps are counted.
    counted = (folder / "steps").open("w")
    os.environ.clear()
    os.environ.update(order["environment"])
    steps: list[float] = []
    begun = time.monotonic()

    def step() -> None:
        steps.append(time.monotonic() - begun)
        if len(steps) - 1 == order.get("step"):
            if not order["seconds"]:
                os.kill(os.getpid(), signal.SIGKILL)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.setitimer(signal.ITIMER_REAL, order["seconds"])

    if order.get("watched"):
        _watch(step)
    sys.argv = ["fairsplit", *order["words"]]
    code = 0
    try:
        main()
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except BaseException:  # noqa: BLE001  (what no command may let through: the test shows it)
        traceback.print_exc()
        code = 70
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        sys.stdout.flush()
        sys.stderr.flush()
        counted.write(json.dumps(steps))
        counted.flush()
        os._exit(code)


def _watch(step: Any) -> None:
    import duckdb

    writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT

    def count(event: str, arguments: tuple[Any, ...]) -> None:
        if event in _STEPS or (event == "open" and arguments[2] and arguments[2] & writing):
            step()

    sys.addaudithook(count)
    for name in ("execute", "executemany", "sql"):
        honest = getattr(duckdb.DuckDBPyConnection, name)

        def counted(*arguments: Any, _honest: Any = honest, **more: Any) -> Any:
            step()
            return _honest(*arguments, **more)

        setattr(duckdb.DuckDBPyConnection, name, counted)


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
