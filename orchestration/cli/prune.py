"""`fairsplit prune`: drop assignments that are past their retention."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from fairsplit.orchestration.cli import app
from fairsplit.orchestration.cli.formats import FormatOption, ReportFormat, print_json, say, table
from fairsplit.orchestration.project import Home


@app.command(epilog="Example: `fairsplit prune --yes`")
def prune(
    yes: Annotated[
        bool, typer.Option("--yes", help="Really drop them; without it they are only listed.")
    ] = False,
    output: FormatOption = ReportFormat.text,
) -> None:
    """Drop assignments of experiments that ended longer ago than the project's retention; a dry run by default.

    The list of a design or from elsewhere goes with them, from the home and from the exports, whose older
    versions are removed. Results, statistics and every other aggregate stay as they are. What was dropped is logged in
    `journal.pruned`, and stays dropped whatever is rebuilt.
    """
    from fairsplit.orchestration.catalogue.loading import read_definitions
    from fairsplit.orchestration.privacy import pruning, retention
    from fairsplit.orchestration.privacy.owed import pay
    from fairsplit.orchestration.warehouse.opening import reader

    definitions = read_definitions()
    home = Home.from_environment()
    if yes:
        pay(home, say)
    with reader(home.warehouse) as connection:
        found = retention.prunable(connection, home, definitions)
    if yes and found:
        pruning.prune(home, found, datetime.now(UTC).replace(tzinfo=None))
    if output is ReportFormat.json:
        print_json({"pruned": yes, "experiments": found})
        return
    if not found:
        print("no assignment is past its retention")
        return
    print(
        table(
            ("experiment", "ended", "rows", "on its list"),
            [(row["experiment_id"], row["ended_at"], row["rows"], row["listed"]) for row in found],
        )
    )
    print("dropped" if yes else "dry run: nothing was dropped; add --yes to drop them")
