"""`fairsplit results`, `fairsplit explain`, `fairsplit replay`: the warehouse's numbers, and where they come from."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import typer

from fairsplit.orchestration.cli import app
from fairsplit.orchestration.cli.formats import FormatOption, ReportFormat, percent, print_json, table
from fairsplit.orchestration.project import Home

_Experiment = Annotated[str, typer.Argument(help="Id of the experiment.")]


@app.command(epilog="Example: `fairsplit results checkout_cta --metric revenue_per_user --format json`")
def results(
    experiment: Annotated[str | None, typer.Argument(help="Id of the experiment; all if left out.")] = None,
    metric: Annotated[str | None, typer.Option(help="Only this metric.")] = None,
    output: FormatOption = ReportFormat.text,
) -> None:
    """Show the newest results: verdict, validity, and the numbers of each metric."""
    from fairsplit.orchestration.library.opened import open_project

    found = open_project().newest(experiment, metric)
    if output is ReportFormat.json:
        print_json(found)
        return
    print("\n\n".join(_result_text(one) for one in found))


def _result_text(found: dict[str, Any]) -> str:
    decision = found["decision"]
    lines = [f"{found['experiment_id']}, cut-off {found['cut_off']}"]
    if decision:
        lines.append(f"  {decision['decision']}: {decision['sentence']}")
    lines += [f"  gate closed: {sentence}" for sentence in found["gate"]]
    rows = [
        (
            row["metric"],
            row["role"],
            row["variant_id"],
            row["n"],
            row["mean"],
            *_effect(row),
            row["p_value"],
            row["reason"] or row["status"],
        )
        for row in found["comparisons"]
        if row["segment"] == "all" and row["analysis"] == "default"
    ]
    header = ("metric", "role", "variant", "n", "mean", "lift", "interval", "p", "status")
    return "\n".join([*lines, table(header, rows), *_allocations_text(found["allocations"])])


def _effect(row: dict[str, Any]) -> tuple[str, str]:
    """The lift and its interval, in the metric's unit where it has no relative form."""
    from fairsplit.analysis.judgement.effects import effect_of

    effect = effect_of(row, lasting=False)
    if effect is None:
        return "-", "-"
    low, high = (_figure(end, relative=effect.relative) for end in (effect.low, effect.high))
    return _figure(effect.value, relative=effect.relative), f"{low} to {high}" if low != "-" else "-"


def _figure(value: float | None, *, relative: bool) -> str:
    return percent(value) if relative or value is None else f"{value:+.4g}"


def _allocations_text(rows: list[dict[str, Any]]) -> list[str]:
    """What a bandit's rewards say, as a table; nothing of others."""
    if not rows:
        return []
    reason = rows[0]["reason"]
    heading = f"  weights by {rows[0]['metric']}" + (f" (they stay: {reason})" if reason else "")
    header = ("variant", "n", "mean", "weight", "chance of being best", "next weight")
    names = ("variant_id", "n", "mean", "weight", "p_best", "next_weight")
    return ["", heading, table(header, [tuple(row[name] for name in names) for row in rows])]


@app.command(epilog="Example: `fairsplit explain checkout_cta checkout_conversion`")
def explain(
    experiment: _Experiment,
    metric: Annotated[str, typer.Argument(help="One of its metrics.")],
    output: FormatOption = ReportFormat.text,
) -> None:
    """Walk a number back: definitions, window, losses, exact sums, formula, and the query that reproduces it."""
    from fairsplit.orchestration.catalogue.loading import read_definitions
    from fairsplit.orchestration.reading.explain import explain as walk_back
    from fairsplit.orchestration.warehouse.opening import reader

    definitions = read_definitions()
    with reader(Home.from_environment().warehouse) as connection:
        found = walk_back(connection, definitions, experiment, metric)
    if output is ReportFormat.json:
        print_json(found)
    else:
        print(_explained(found))
    if found["disagreements"]:
        raise typer.Exit(1)


def _explained(found: dict[str, Any]) -> str:
    definition, window = found["definition"], found["window"]
    lines = [
        f"{definition['label']} ({found['metric']}) in {found['experiment_id']}, cut-off {found['cut_off']}",
        f"  {definition['description']}",
        f"  {definition['kind']} in {definition['unit']}, {definition['role']}, better is {definition['direction']}",
    ]
    lines += [
        f"  measure {one['name']}: {one['agg']} of {one['expr']}"
        + (f", stored times {one['scale']}" if one["scale"] != 1 else "")
        for one in definition["measures"]
    ]
    end = "open" if window["end"] == "open" else f"exposure + {window['end']}"
    lines += [
        f"  definition {definition['definition_hash']}",
        "",
        f"Window: [exposure + {window['start']}, {end}), cut at the end of {found['cut_off']}",
        f"  covariate: {window['covariate_days']} days before exposure ({window['covariate_status']})",
    ]
    if window["cap_high"] is not None:
        values = "non-zero values" if window["caps_over"] == "nonzero" else "values"
        lines.append(f"  {values} capped to {window['cap_low']} .. {window['cap_high']} (stored integers)")
    if window["cap_x_high"] is not None:
        lines.append(
            f"  the covariate capped to {window['cap_x_low']} .. {window['cap_x_high']} (stored integers)"
        )
    lost = [(row["step"], row["variant_id"], row["units"], row["events"]) for row in found["losses"]]
    lines += ["", "Units lost", table(("step", "variant", "units", "events"), lost), "", "Exact sums"]
    names = ("n", "sum_y", "sum_d", "sum_x", "sum_w", "sum_yy", "sum_yd", "sum_yx", "sum_dd", "sum_xx")
    kept = [name for name in names if any(arm["sums"][name] is not None for arm in found["arms"])]
    lines.append(
        table(
            ("variant", *kept),
            [(arm["variant_id"], *(arm["sums"][name] for name in kept)) for arm in found["arms"]],
        )
    )
    if found["phases"]:
        columns = ("phase", "start_at", "variant_id", "share", "n", "sum_y")
        by_phase = [tuple(row[name] for name in columns) for row in found["phases"]]
        header = ("phase", "start", "variant", "share", "n", "sum_y")
        lines += ["", "Exact sums by phase", table(header, by_phase)]
    lines += _allocations_text(found["allocations"])
    lines += ["", "Calculation"]
    for arm in found["arms"]:
        method = arm["published"]["method"]
        lines.append(f"  {arm['variant_id']}" + (f" by {method}" if method else ""))
        lines += [f"    {_step(step)}" for step in found["steps"][arm["variant_id"]]]
    lines += ["", "Unit values, from the events themselves (DuckDB, on the warehouse):", found["query"], ""]
    if found["disagreements"]:
        lines.append("The query does NOT agree with the pipeline:")
        lines += [
            f"  {one['variant_id']} {one['sum']}: pipeline {one['pipeline']}, query {one['query']}"
            for one in found["disagreements"]
        ]
    else:
        lines.append("The query was run: number of units and every sum agree with the pipeline exactly.")
    return "\n".join(lines)


def _step(step: dict[str, Any]) -> str:
    if step["value"] is None:
        return f"{step['name']}: {step['formula']}"
    verdict = ""
    if step["published"] is not None:
        verdict = "  (as published)" if step["agrees"] else f"  (published: {step['published']:.10g})"
    return f"{step['name']} = {step['formula']} = {step['value']:.10g}{verdict}"


@app.command(epilog="Example: `fairsplit replay checkout_cta --as-of 2026-01-20`")
def replay(
    experiment: _Experiment,
    as_of: Annotated[
        datetime | None,
        typer.Option("--as-of", formats=["%Y-%m-%d"], help="The day whose last publication is meant."),
    ] = None,
    publication: Annotated[
        int | None, typer.Option(min=1, help="The publication of this number in the ledger.")
    ] = None,
    known_at: Annotated[
        datetime | None,
        typer.Option(
            "--known-at",
            formats=["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d"],
            help="The last publication that stood at this instant, UTC.",
        ),
    ] = None,
    output: FormatOption = ReportFormat.text,
) -> None:
    """Show what was published beside what is known of it now, and why they differ.

    Which publication is meant is said by one of --as-of, --publication and --known-at.
    """
    from fairsplit.orchestration.reading.replay import replay as look_back
    from fairsplit.orchestration.warehouse.opening import reader

    with reader(Home.from_environment().warehouse) as connection:
        day = as_of.date() if as_of else None
        found = look_back(connection, experiment, day, publication=publication, known_at=known_at)
    if output is ReportFormat.json:
        print_json(found)
    else:
        print(_replayed(found))


def _replayed(found: dict[str, Any]) -> str:
    publication, then, now = found["publication"], found["then"], found["now"]
    lines = [
        f"{found['experiment_id']}, cut-off {publication['cut_off']}",
        f"  publication {publication['publication']} of {publication['published_at']:%Y-%m-%d %H:%M} UTC",
        f"  knowing landed files up to number {publication['manifest_position']}",
        f"  then: {_said(then)}",
        f"  now:  {_said(now)}",
        "",
    ]
    totals = [row for row in found["differences"] if row["segment"] == "all"]
    if not found["differences"]:
        return "\n".join([*lines, "Nothing differs: the same numbers would be published today."])
    lines.append(
        table(
            ("metric", "analysis", "variant", "number", "then", "now", "because of"),
            [
                (
                    row["metric"],
                    row["analysis"],
                    row["variant_id"],
                    row["column"],
                    row["then"],
                    row["now"],
                    ", ".join(row["because"]),
                )
                for row in totals
            ],
        )
    )
    others = len(found["differences"]) - len(totals)
    if others:
        lines.append(f"and {others} numbers of segments (`--format json` lists them)")
    causes = found["causes"]
    lines += ["", "Why"]
    lines += [
        f"  late events: file {one['position']} ({one['path']}, arrived {one['arrived_at']:%Y-%m-%d %H:%M}) brought"
        f" {one['events']} events of its units, {one['exposures']} of them exposures"
        for one in causes["late_events"]
    ]
    if causes["definition_changed"]:
        lines.append(f"  changed definition: {', '.join(causes['definition_changed'])}")
    if causes["code_changed"]:
        lines.append(f"  changed code: {' -> '.join(one[:12] for one in causes['code_changed'])}")
    if causes["erased"]:
        lines.append(f"  erasure: {causes['erased']} people were erased since")
    if not found["explained"]:
        lines.append(
            "  no late event, definition or code accounts for it: a project setting or another experiment changed"
        )
    return "\n".join(lines)


def _said(side: dict[str, Any]) -> str:
    decision = side["decision"]
    sentence = f"{decision['decision']}: {decision['sentence']}" if decision else "no decision"
    return " | ".join([sentence, *(f"gate closed: {one}" for one in side["gate"])])
