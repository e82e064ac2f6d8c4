"""`fairsplit fsck`: the home against its recorded checksums."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from fairsplit.orchestration.cli import app
from fairsplit.orchestration.cli.formats import FormatOption, ReportFormat, print_json, say, table
from fairsplit.orchestration.project import Home, catalog_dir

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairsplit.analysis.errors import Problem

_HEADER = ("state", "what", "where", "value", "rule", "hint")


@app.command(epilog="Example: `fairsplit fsck --repair`")
def fsck(
    repair: Annotated[
        bool, typer.Option("--repair", help="Give again what landed files and the rest of the home can give.")
    ] = False,
    output: FormatOption = ReportFormat.text,
) -> None:
    """Check lake, warehouse, lists, journals, exports, site and Dagster's storage; exits with 1 while damage remains.

    What belongs to nothing is moved to `strays/` in the home; nothing is deleted.
    """
    from fairsplit.orchestration.catalogue.loading import read_definitions
    from fairsplit.orchestration.home import fsck as checking

    home, definitions = Home.from_environment(), read_definitions()
    mended: list[Problem] = []
    if repair:
        mended, left = checking.repair(home.prepare(), catalog_dir(), definitions, say)
    else:
        left = checking.check(home, catalog_dir(), definitions)
    if output is ReportFormat.json:
        print_json(
            {
                "mended": [asdict(problem) for problem in mended],
                "damaged": [asdict(problem) for problem in left],
            }
        )
    elif mended or left:
        print(table(_HEADER, [*_rows("mended", mended), *_rows("damaged", left)]))
    else:
        print("no damage was found")
    if left:
        raise typer.Exit(1)


def _rows(state: str, problems: Sequence[Problem]) -> list[tuple[str, ...]]:
    return [(state, one.what, one.where, one.value, one.rule, one.hint) for one in problems]
