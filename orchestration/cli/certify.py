"""`fairsplit certify`: A/A splits of the metrics' own units, and whether every analysis keeps its promises on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from fairsplit.analysis.aa.certification import RUNS
from fairsplit.analysis.errors import Problem
from fairsplit.orchestration.cli import app
from fairsplit.orchestration.cli.formats import FormatOption, ReportFormat, print_json, say, table
from fairsplit.orchestration.errors import OrchestrationError
from fairsplit.orchestration.project import Home

if TYPE_CHECKING:
    from collections.abc import Iterable


@app.command(epilog="Example: `fairsplit certify revenue_per_user --splits 400`")
def certify(
    metrics: Annotated[
        list[str] | None,
        typer.Argument(metavar="[METRIC]...", help="Metrics of running experiments; all if left out."),
    ] = None,
    splits: Annotated[
        int, typer.Option(min=100, max=100_000, help="Random splits of a metric's units per test.")
    ] = RUNS,
    output: FormatOption = ReportFormat.text,
) -> None:
    """Split each metric's units at random, and count how often every test that may judge it is wrong.

    A custom test or metric decides nothing until it has passed here on the metric's own units, with the code that is
    installed now; the next `run` judges with what was found.
    """
    from fairsplit.analysis.catalogue.findings import did_you_mean
    from fairsplit.orchestration.catalogue.loading import read_definitions
    from fairsplit.orchestration.judging.certificates import standing
    from fairsplit.orchestration.judging.certifying import certify_metrics, pools
    from fairsplit.orchestration.warehouse import journals
    from fairsplit.orchestration.warehouse.opening import writer

    home, definitions = Home.from_environment(), read_definitions()
    with writer(home.warehouse) as connection:
        known = [pool.metric for pool in pools(connection, definitions)]
        for name in metrics or ():
            if name not in known:
                rule = f"one of: {', '.join(known) or 'no running experiment has been built'}"
                what = "no running experiment measures this metric"
                raise OrchestrationError(Problem(what, "METRIC", name, rule, did_you_mean(name, known)))
        rows = certify_metrics(connection, definitions, runs=splits, only=metrics or (), progress=say)
        journals.keep(connection, home.root)
        parts = standing(connection, definitions.metrics)
    if output is ReportFormat.json:
        print_json({"rates": rows.to_dicts(), "parts": parts})
        return
    header = ("metric", "method", "quantity", "promised", "observed", "interval", "flagged")
    print(table(header, [_line(row) for row in rows.to_dicts()]))
    print(*_told(parts), sep="\n")


def _line(row: dict[str, Any]) -> tuple[str, ...]:
    if row["status"] != "ok":
        why = str(row["reason"] or row["status"]).replace("_", " ")
        return (row["metric"], row["method"], row["quantity"] or "-", "-", "-", why, "")
    rates = (f"{row['promised']:g}", f"{row['observed']:.4f}", f"{row['low']:.4f} to {row['high']:.4f}")
    return (row["metric"], row["method"], row["quantity"], *rates, "yes" if row["flagged"] else "")


def _told(parts: Iterable[dict[str, Any]]) -> Iterable[str]:
    for part in parts:
        who = f"{part['part']} ({part['distribution']} {part['version']}) for {part['metric']}"
        yield f"{who}: certified" if part["passed"] else f"{who}: not certified, {part['reason']}"
