"""`fairsplit publish`: results, decisions and allocations into a team's own warehouse."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from fairsplit.orchestration.cli import app
from fairsplit.orchestration.cli.formats import FormatOption, ReportFormat
from fairsplit.orchestration.project import Home


@app.command(epilog="Example: `fairsplit publish --to postgresql:SHOP_DATABASE --schema experiments`")
def publish(
    to: Annotated[
        str,
        typer.Option(
            metavar="DRIVER:VARIABLE",
            help="duckdb, or an ADBC driver; and the variable of the environment that holds path or address.",
        ),
    ],
    schema: Annotated[str, typer.Option(help="Of the tables there; the default one if left out.")] = "",
    output: FormatOption = ReportFormat.text,
) -> None:
    """Write `fairsplit_results`, `fairsplit_decisions` and `fairsplit_allocations` of every day to another database.

    A day of an experiment that changed is replaced, what is there already stays, and all of it is one transaction.
    """
    from fairsplit.orchestration.publishing.warehouses import write_results
    from fairsplit.orchestration.publishing.warehouses.targets import destination, target
    from fairsplit.orchestration.warehouse.opening import reader

    database = destination(to)
    with reader(Home.from_environment().warehouse) as connection, target(database, schema) as there:
        done = write_results(connection, there, schema)
    if output is ReportFormat.json:
        print(json.dumps([asdict(one) for one in done], indent=1))
        return
    for one in done:
        print(
            f"{one.table}: {one.rows:,} rows written, {one.replaced:,} days of experiments replaced, "
            f"{one.unchanged:,} unchanged"
        )
