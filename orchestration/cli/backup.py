"""`fairsplit backup` and `fairsplit restore`: a whole home to a folder, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fairsplit.orchestration.cli import app
from fairsplit.orchestration.cli.formats import say
from fairsplit.orchestration.project import Home


@app.command(epilog="Example: `fairsplit backup /backups/2026-01-20`")
def backup(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new or empty folder outside the home.")],
) -> None:
    """Copy the home to a folder as it is at one instant, while runs go on; the manifest of checksums comes last.

    The catalogue and its log of transitions are the user's own files, for version control.
    """
    from fairsplit.orchestration.home.backup import back_up

    count = back_up(Home.from_environment(), folder.resolve(), say)
    print(f"{count:,} files are backed up in {folder}")


@app.command(epilog="Example: `fairsplit restore /backups/2026-01-20 --replace`")
def restore(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="What `fairsplit backup` has written.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="The home is not empty: what is there is kept in `copies/`.")
    ] = False,
) -> None:
    """Verify a backup and put it in place of the home; whoever was erased since does not come back.

    Files that landed since the backup stay in the landing folder: the next run takes them.
    """
    from fairsplit.orchestration.home.restore import restore as put_back

    home = Home.from_environment()
    kept = put_back(home, folder.resolve(), say, replace=replace)
    if kept is not None:
        say(f"what was there is kept in {kept}")
    print(f"{home.root} is restored")
