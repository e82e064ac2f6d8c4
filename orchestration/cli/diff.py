"""`fairsplit diff`: what a change of the definitions does, for a pull request."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from fairsplit.orchestration.cli import app
from fairsplit.orchestration.project import Home, Project


@app.command(epilog="Example: `fairsplit diff --base main --figures`")
def diff(
    base: Annotated[str, typer.Option(help="The branch, tag or commit to compare with.")],
    figures: Annotated[
        bool,
        typer.Option(
            "--figures",
            help="Also build and judge a copy of the warehouse: which of the newest figures move.",
        ),
    ] = False,
) -> None:
    """Say which experiments, metrics, phases and exports a change touches, and what is computed anew; as Markdown.

    Compared are the files as they stand with the commit's. Nothing in the home is changed.
    """
    from datetime import UTC, datetime

    from fairsplit.orchestration.catalogue.loading import read_definitions
    from fairsplit.orchestration.comparing import as_markdown, changes_between, definitions_at, moved_figures

    with tempfile.TemporaryDirectory(prefix="fairsplit-diff-") as folder:
        there = Path(folder, "base")
        there.mkdir()
        before, now = definitions_at(Project.current(), base, there), read_definitions()
        as_of = datetime.now(UTC).replace(tzinfo=None)
        changes = changes_between(before, now, as_of)
        moved = moved_figures(Home.from_environment(), now, Path(folder, "home")) if figures else None
    print(as_markdown(base, changes, moved))
