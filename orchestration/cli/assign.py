"""`fairsplit assign`: who is in which arm, where a design or a list decides and not the hash."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fairsplit.orchestration.cli import app
from fairsplit.orchestration.cli.formats import FormatOption, ReportFormat, print_json, table
from fairsplit.orchestration.project import Home

if TYPE_CHECKING:
    from fairsplit.orchestration.lifecycle.assigning import Assigned


@app.command(
    epilog="Example: `fairsplit assign spring_mailing --population customers.csv --design stratified --stratum country`"
)
def assign(
    experiment: Annotated[
        str, typer.Argument(metavar="EXPERIMENT", help="With assignment: batch or external.")
    ],
    population: Annotated[
        Path, typer.Option(help="The known units: CSV, TSV, Parquet, JSON, NDJSON or DuckDB.")
    ],
    unit: Annotated[str, typer.Option(help="Column of the unit's id.")] = "unit_id",
    design: Annotated[
        str, typer.Option(help="How to split: complete, stratified, blocked, or a custom part.")
    ] = "complete",
    stratum: Annotated[
        list[str] | None, typer.Option(help="Column whose values are split each in the same way; repeatable.")
    ] = None,
    covariate: Annotated[
        list[str] | None, typer.Option(help="Column that blocks match and the search balances; repeatable.")
    ] = None,
    seeds: Annotated[
        int, typer.Option(min=1, max=10_000, help="Splits to try; the most balanced one is taken.")
    ] = 1,
    variant: Annotated[
        str | None, typer.Option(help="Column of variants that were drawn elsewhere (assignment: external).")
    ] = None,
    table_name: Annotated[str | None, typer.Option("--table", help="Table of a DuckDB file.")] = None,
    output: FormatOption = ReportFormat.text,
) -> None:
    """Assign a known population at once, write the list, and show how well its arms are balanced."""
    from fairsplit.assignment_exports.designs.assigning import Design
    from fairsplit.orchestration.catalogue.loading import read_definitions
    from fairsplit.orchestration.flat_files import read_flat_file, with_numbers
    from fairsplit.orchestration.home.intents import in_hand
    from fairsplit.orchestration.lifecycle.assigning import assign_population

    home = Home.from_environment()
    frame = with_numbers(
        read_flat_file(population, table_name).frame, {unit, variant or "", *(stratum or ())}
    )
    with in_hand(home, "assign"):
        found = assign_population(
            home,
            read_definitions().catalogue,
            experiment,
            frame,
            unit=unit,
            design=Design(design, tuple(stratum or ()), tuple(covariate or ()), seeds),
            variant=variant,
        )
    path = home.assignments / f"{experiment}.parquet"
    if output is ReportFormat.json:
        print_json({"path": str(path), **_report(found)})
        return
    print(_text(found))
    print(path)


def _report(found: Assigned) -> dict[str, Any]:
    report: dict[str, Any] = {
        "units": dict(found.table["variant"].value_counts(sort=True).iter_rows()),
        "left_out": dict(found.left_out),
    }
    if found.drawn is not None:
        report["balance"] = found.drawn.balance.to_dicts()
        report["seed"] = found.drawn.seed
        report["differences"] = found.drawn.differences
    return report


def _text(found: Assigned) -> str:
    parts = [table(("variant", "units"), found.table["variant"].value_counts(sort=True).rows())]
    if found.left_out:
        parts.append(table(("left out", "units"), list(found.left_out.items())))
    drawn = found.drawn
    if drawn is not None and drawn.balance.height:
        parts.append(table(drawn.balance.columns, drawn.balance.rows()))
    if drawn is not None and len(drawn.differences) > 1:
        parts.append(
            f"split {drawn.seed + 1} of {len(drawn.differences)}: its largest difference is "
            f"{min(drawn.differences):.4f} standard deviations, the median {median(drawn.differences):.4f}"
        )
    return "\n\n".join(parts)
