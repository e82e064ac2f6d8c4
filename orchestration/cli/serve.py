"""`fairsplit ui` and `fairsplit check-definitions`: Dagster's web interface and its own validation."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Annotated

import typer

from analysis.errors import Problem
from orchestration.cli import app
from orchestration.errors import OrchestrationError
from orchestration.paths import PROJECT_ROOT, Home


def _dagster(home: Home, *arguments: str) -> int:
    from orchestration.dbt import ensure_manifest

    ensure_manifest(home)
    environment = {**os.environ, "FAIRSPLIT_HOME": str(home.root), "DAGSTER_HOME": str(home.dagster)}
    done = subprocess.run(
        [sys.executable, "-m", "dagster", *arguments], cwd=PROJECT_ROOT, env=environment, check=False
    )
    return done.returncode


@app.command(epilog="Example: `fairsplit ui --port 3001`")
def ui(
    port: Annotated[int, typer.Option(help="Port on the loopback interface.")] = 3000,
    host: Annotated[str, typer.Option(help="Interface to listen on.")] = "127.0.0.1",
) -> None:
    """Open the Dagster UI on this machine."""
    _dagster(Home.from_environment().prepare(), "dev", "-w", "workspace.yaml", "-h", host, "-p", str(port))


@app.command("check-definitions", epilog="Example: `fairsplit check-definitions`")
def check_definitions() -> None:
    """Load all Dagster definitions and report what does not fit together."""
    if _dagster(Home.from_environment().prepare(), "definitions", "validate", "-w", "workspace.yaml") != 0:
        raise OrchestrationError(Problem("the Dagster definitions do not load", hint="see the lines above"))
