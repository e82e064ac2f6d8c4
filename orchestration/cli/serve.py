"""`fairsplit ui` and `fairsplit check-definitions`: Dagster's web interface and its own validation."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from typing import Annotated

import typer

from analysis.errors import Problem
from orchestration.cli import app
from orchestration.cli.formats import say
from orchestration.errors import OrchestrationError
from orchestration.paths import PROJECT_ROOT, Home

_GRACE_SECONDS = 10.0


def _dagster(home: Home, *arguments: str) -> int:
    from orchestration.dbt import ensure_manifest

    ensure_manifest(home)
    environment = {**os.environ, "FAIRSPLIT_HOME": str(home.root), "DAGSTER_HOME": str(home.dagster)}
    process = subprocess.Popen(
        [sys.executable, "-m", "dagster", *arguments],
        cwd=PROJECT_ROOT,
        env=environment,
        start_new_session=True,
    )

    def stop(*_: object) -> None:
        # Webserver, daemon and code server are its children, in its group.
        os.killpg(process.pid, signal.SIGTERM)

    for asked in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(asked, stop)
    try:
        return process.wait()
    finally:
        _end(process.pid)


def _end(group: int) -> None:
    """Nobody of a process group outlives the command: after a while of grace they are killed."""
    until = time.monotonic() + _GRACE_SECONDS
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGTERM)
        while time.monotonic() < until:
            os.killpg(group, 0)
            time.sleep(0.1)
        os.killpg(group, signal.SIGKILL)


@app.command(epilog="Example: `fairsplit ui --port 3001`")
def ui(
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Port on the loopback interface.")] = 3000,
    host: Annotated[str, typer.Option(help="Interface to listen on.")] = "127.0.0.1",
) -> None:
    """Open the Dagster UI on this machine."""
    from orchestration.home.migrating import migrate

    home = Home.from_environment().prepare()
    migrate(home, say)
    _dagster(home, "dev", "-w", "workspace.yaml", "-h", host, "-p", str(port))


@app.command("check-definitions", epilog="Example: `fairsplit check-definitions`")
def check_definitions() -> None:
    """Load all Dagster definitions and report what does not fit together."""
    if _dagster(Home.from_environment().prepare(), "definitions", "validate", "-w", "workspace.yaml") != 0:
        raise OrchestrationError(Problem("the Dagster definitions do not load", hint="see the lines above"))
