"""`fairsplit segments`: how many units each named segment holds, and its condition for another warehouse."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

import typer
from pydantic_core import PydanticCustomError

from fairsplit.analysis.catalogue.fields import parse_instant
from fairsplit.analysis.errors import Problem
from fairsplit.orchestration.cli import app
from fairsplit.orchestration.cli.formats import FormatOption, ReportFormat, print_json, table
from fairsplit.orchestration.errors import OrchestrationError
from fairsplit.orchestration.project import Home


class Sql(StrEnum):
    """Whose SQL to print."""

    duckdb = "duckdb"
    spark = "spark"


@app.command(
    epilog="Examples: `fairsplit segments north_america --days 7`, `fairsplit segments north_america --sql spark`"
)
def segments(
    name: Annotated[str | None, typer.Argument(help="Id of a segment; all if left out.")] = None,
    days: Annotated[
        int, typer.Option(min=1, max=3_650, help="Count units with an event in these days.")
    ] = 28,
    at: Annotated[
        str | None,
        typer.Option(
            metavar="INSTANT",
            help="When conditions on the time are asked, as 2026-01-20T18:00:00Z or another zone; "
            "the end of the newest day if left out.",
        ),
    ] = None,
    sql: Annotated[
        Sql | None,
        typer.Option(
            help="Count nothing; print the condition as an expression over `attributes` and `instant`."
        ),
    ] = None,
    output: FormatOption = ReportFormat.text,
) -> None:
    """Estimate each segment's size: of the units seen in the last days, how many are in it; or print one as SQL.

    A unit's newest known attributes decide, what the last run found it did, and the time at one instant. Units whose
    events do not say what the condition asks are unknown.
    """
    from fairsplit.assignment_exports.dialects import DUCKDB, SPARK
    from fairsplit.orchestration.catalogue.loading import read_definitions
    from fairsplit.orchestration.reading.segments import segment_expression, segment_sizes
    from fairsplit.orchestration.warehouse.opening import reader

    catalogue = read_definitions().catalogue
    if sql is not None:
        dialect = {Sql.duckdb: DUCKDB, Sql.spark: SPARK}[sql]
        print(segment_expression(catalogue, name or "", dialect))
        return
    with reader(Home.from_environment().warehouse) as connection:
        found = segment_sizes(connection, catalogue, days, name, None if at is None else _instant(at))
    if output is ReportFormat.json:
        print_json(found)
        return
    if not found:
        print("no segment is declared")
        return
    first = found[0]
    asked = f"times as of {first['at'].isoformat()}Z"
    print(f"Units with an event from {first['first_day']} to {first['cut_off']}, {asked}")
    columns = ("segment", "unit", "units", "inside", "outside", "unknown")
    shown = [
        (*(row[column] for column in columns), "-" if row["share"] is None else f"{row['share']:.1%}")
        for row in found
    ]
    print(table((*columns, "share"), shown))
    for row in found:
        if not row["active"]:
            print(f"{row['segment']} is not active")
        if row["never_seen"]:
            print(f"{row['segment']}: nothing is known of {', '.join(row['never_seen'])}")


def _instant(text: str) -> datetime:
    try:
        return parse_instant(text)
    except PydanticCustomError as error:
        told = error.context or {}
        raise OrchestrationError(Problem(told["what"], "--at", text, told["rule"], told["hint"])) from error
