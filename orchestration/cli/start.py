"""`fairsplit init` and `fairsplit demo`: a project of one's own, and the demo world as one."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from fairsplit.orchestration.cli import app

_Folder = Annotated[Path, typer.Argument(metavar="DIR", help="A new folder, or an empty one.")]


@app.command(epilog="Example: `fairsplit init experiments`")
def init(folder: _Folder) -> None:
    """Write a small project: one experiment, one metric, settings, what Dagster loads, a CI example."""
    from fairsplit.orchestration.starting.writing import write_project

    for path in write_project(folder):
        print(folder / path)
    print(
        f"\nNext: `cd {shlex.quote(str(folder))}`, `fairsplit validate`, drop events into .fairsplit/landing/, "
        "`fairsplit run`."
    )


@app.command(epilog="Example: `fairsplit demo demo-world`")
def demo(folder: _Folder) -> None:
    """Write the demo world as a project: experiments with known truth, judged with the shipped metrics."""
    from fairsplit.orchestration.starting.writing import write_demo

    print(f"{len(write_demo(folder))} files in {folder}")
    print(f"\nNext: `cd {shlex.quote(str(folder))}`, `fairsplit run --demo`.")
