"""`fairsplit search …`: what a search over variants knows, and its next arms as a draft."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fairsplit.analysis.errors import Problem
from fairsplit.orchestration.cli import app
from fairsplit.orchestration.cli.formats import FormatOption, ReportFormat, print_json, table
from fairsplit.orchestration.cli.once import App
from fairsplit.orchestration.errors import OrchestrationError
from fairsplit.orchestration.project import Home, catalog_dir

if TYPE_CHECKING:
    from fairsplit.analysis.judgement.searching import Searched
    from fairsplit.orchestration.catalogue.loading import Definitions

commands = App(help="Search over the parameters of variants, batch by batch.", no_args_is_help=True)
app.add_typer(commands, name="search")

_Id = Annotated[
    str, typer.Argument(metavar="ID", help="The experiment that is the newest batch of the search.")
]


@commands.command(epilog="Example: `fairsplit search show hero_size`")
def show(experiment: _Id, output: FormatOption = ReportFormat.text) -> None:
    """Show what was tried, what is thought of it, and what would be tried next."""
    _, state = _search(experiment)
    rows = [
        {"batch": arm.batch, "experiment": arm.experiment, "variant": arm.variant, "config": dict(arm.config),
         "difference": arm.diff, "std_error": arm.std_error}
        for arm in state.tried
    ]  # fmt: skip
    points = _points(state)
    if output is ReportFormat.json:
        print_json({"tried": rows, "proposed": points, "reason": state.reason})
        return
    lines = [
        (
            row["batch"],
            row["experiment"],
            row["variant"],
            f"{row['difference']:+.4g} ± {row['std_error']:.2g}",
        )
        for row in rows
    ]
    print(
        table(("batch", "experiment", "variant", "difference"), lines) if lines else "no arm is measured yet"
    )
    if state.reason is not None:
        print(f"nothing is proposed: {state.reason.replace('_', ' ')}")
        return
    for point in points:
        gain = point["expected_improvement"]
        expected = "" if gain is None else f", expected improvement {gain:.3g}"
        print(f"next: {_words(point['parameters'])}{expected}")


@commands.command(epilog="Example: `fairsplit search propose hero_size`")
def propose(experiment: _Id, output: FormatOption = ReportFormat.text) -> None:
    """Write the next arms as a draft experiment, which passes validation and waits for its start."""
    from fairsplit.orchestration.lifecycle.following import next_batch

    definitions, state = _search(experiment)
    if state.reason is not None:
        why = state.reason.replace("_", " ")
        hint = (
            "`fairsplit run` first"
            if state.reason == "batch_not_measured"
            else "raise stop_when, or end the search"
        )
        raise OrchestrationError(Problem("nothing is proposed", "ID", experiment, why, hint))
    points = _points(state)
    entry = next_batch(
        catalog_dir(),
        definitions,
        definitions.catalogue.experiments[experiment],
        [point["parameters"] for point in points],
        now=datetime.now(UTC).replace(tzinfo=None),
    )
    if output is ReportFormat.json:
        print_json({"experiment": entry.experiment, "arms": points})
        return
    print(f"{entry.experiment} is written as a draft with {len(points)} arms beside the control:")
    for point in points:
        print(f"  {_words(point['parameters'])}")
    print(f"`fairsplit experiment start {entry.experiment} --reason …` runs it")


def _search(experiment_id: str) -> tuple[Definitions, Searched]:
    from fairsplit.analysis.catalogue.findings import did_you_mean
    from fairsplit.orchestration.catalogue.loading import read_definitions
    from fairsplit.orchestration.judging.searching import search_of
    from fairsplit.orchestration.warehouse.opening import reader

    definitions = read_definitions()
    experiments = definitions.catalogue.experiments
    searching = {name: one.search for name, one in experiments.items() if one.search is not None}
    if experiment_id not in searching:
        listed = ", ".join(searching) or "none declares a search"
        what = "no experiment with a search"
        raise OrchestrationError(
            Problem(what, "ID", experiment_id, f"one of: {listed}", did_you_mean(experiment_id, searching))
        )
    later = [name for name, search in searching.items() if search.follows == experiment_id]
    if later:
        raise OrchestrationError(
            Problem("a later batch of this search exists", "ID", experiment_id, f"the newest: {later[0]}")
        )
    with reader(Home.from_environment().warehouse) as connection:
        return definitions, search_of(connection, definitions, experiment_id)


def _points(state: Searched) -> list[dict[str, Any]]:
    if state.asked is None or state.reason is not None:
        return []
    return [
        {"parameters": config, "expected_improvement": gain if gain == gain else None}  # noqa: PLR0124 - NaN
        for config, gain in zip(state.configs, map(float, state.asked.improvement), strict=True)
    ]


def _words(parameters: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in parameters.items())
