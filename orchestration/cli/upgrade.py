"""`fairsplit upgrade`: a home brought to the installed version, with what that computes anew."""

from __future__ import annotations

from typing import Annotated

import typer

from fairsplit.orchestration.cli import app
from fairsplit.orchestration.cli.formats import say
from fairsplit.orchestration.project import Home


@app.command(epilog="Example: `fairsplit upgrade --check`")
def upgrade(
    check: Annotated[bool, typer.Option("--check", help="Only say what is to be done.")] = False,
) -> None:
    """Say what the installed version will compute anew, and migrate the home where it is of an older schema.

    A copy of the warehouse is kept in `copies/`. The project's own files are not touched.
    """
    from fairsplit.orchestration.home.migrating import migrate
    from fairsplit.orchestration.home.upgrading import upgrade_of

    home = Home.from_environment()
    found = upgrade_of(home)
    print("\n".join(found.lines))
    if found.schema is not None and not check:
        migrate(home.prepare(), say)
