"""`fairsplit ui`, `fairsplit daemon` and `fairsplit check-definitions`: Dagster's processes and its own validation."""

from __future__ import annotations

import socket
from typing import Annotated

import typer

from fairsplit.analysis.errors import Problem
from fairsplit.orchestration.cli import app
from fairsplit.orchestration.cli.formats import say
from fairsplit.orchestration.errors import OrchestrationError
from fairsplit.orchestration.project import PACKAGES, Home

_WORKSPACE = ("-w", str(PACKAGES / "fairsplit" / "workspace.yaml"))
_DAEMON = ("dagster._daemon", "run", "--log-level", "warning", *_WORKSPACE)


def _run(*modules: tuple[str, ...]) -> int:
    from fairsplit.orchestration.home.migrating import migrate
    from fairsplit.orchestration.serving.processes import run_together
    from fairsplit.orchestration.warehouse.dbt import ensure_manifest

    home = Home.from_environment().prepare()
    if _DAEMON in modules:
        migrate(home, say)
    ensure_manifest(home, say)
    return run_together(home, *modules)


@app.command(epilog="Example: `fairsplit ui --port 3001`")
def ui(
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Port to listen on.")] = 3000,
    host: Annotated[str, typer.Option(help="Interface to listen on.")] = "127.0.0.1",
    allow_host: Annotated[
        list[str] | None, typer.Option(help="Name by which a proxy is reached; other names are refused.")
    ] = None,
    prefix: Annotated[str, typer.Option(help="Path below which a proxy serves it, such as /dagster.")] = "",
    read_only: Annotated[
        bool, typer.Option("--read-only", help="Only show: nothing can be started or changed, no daemon.")
    ] = False,
    daemon: Annotated[
        bool, typer.Option(help="Run the daemon too, which acts on schedules and sensors.")
    ] = True,
) -> None:
    """Open the Dagster UI on this machine, and let its schedules and sensors run."""
    if prefix and (not prefix.startswith("/") or prefix.endswith("/")):
        rule = "begins with a slash and does not end with one"
        raise OrchestrationError(Problem("no path of a proxy", where="--prefix", value=prefix, rule=rule))
    _expect_free(host, port)
    webserver = [
        "fairsplit.orchestration.serving.webserver",
        "--host",
        host,
        "--port",
        str(port),
        "--prefix",
        prefix,
    ]
    for name in allow_host or []:
        webserver += ["--allow-host", name]
    if read_only:
        webserver.append("--read-only")
    print(f"Dagster's web interface: http://{host}:{port}{prefix}")
    acts = daemon and not read_only
    if _run(tuple(webserver), *([_DAEMON] if acts else [])):
        raise OrchestrationError(Problem("the web interface has ended", hint="see the lines above"))


@app.command(epilog="Example: `fairsplit daemon`")
def daemon() -> None:
    """Let Dagster's schedules and sensors run, without the UI; one daemon a home."""
    if _run(_DAEMON):
        raise OrchestrationError(Problem("the daemon has ended", hint="see the lines above"))


@app.command("check-definitions", epilog="Example: `fairsplit check-definitions`")
def check_definitions() -> None:
    """Load all Dagster definitions and report what does not fit together."""
    if _run(("dagster", "definitions", "validate", *_WORKSPACE)):
        raise OrchestrationError(Problem("the Dagster definitions do not load", hint="see the lines above"))


def _expect_free(host: str, port: int) -> None:
    """Refuse a port that somebody listens on, before anything is started."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise OrchestrationError(Problem("no interface of that name", where="--host", value=host)) from error
    with socket.socket(family, kind) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            hint = "is `fairsplit ui` running already? `--port` takes another"
            raise OrchestrationError(
                Problem("cannot listen there", "--port", f"{host}:{port}", reason, hint)
            ) from error
