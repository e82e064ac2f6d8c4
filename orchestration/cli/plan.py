"""`fairsplit plan`: sample size, duration and smallest detectable effect, before anything starts."""

from __future__ import annotations

import json
import math
from enum import StrEnum
from typing import Annotated, Any

import typer

from fairsplit.orchestration.cli import app
from fairsplit.orchestration.cli.formats import ReportFormat

_DEFAULT_EFFECT = 0.05


class PlanMethod(StrEnum):
    """How the experiment will be judged."""

    fixed = "fixed"
    group_sequential = "group_sequential"
    always_valid = "always_valid"
    sprt = "sprt"
    bayesian = "bayesian"


@app.command(
    epilog="Examples: `fairsplit plan --baseline .10 --effect 20% --power .8`, "
    "`fairsplit plan --metric checkout_conversion --effect 5%`"
)
def plan(
    baseline: Annotated[
        str | None,
        typer.Option(help="The metric's value now; a rate such as .10 or 10%, or a mean with --sd."),
    ] = None,
    sd: Annotated[
        float | None, typer.Option(help="Standard deviation of a unit's value; makes it a mean.")
    ] = None,
    metric: Annotated[
        str | None, typer.Option(help="Take value, variance, CUPED gain and traffic of this metric.")
    ] = None,
    experiment: Annotated[
        str | None, typer.Option(help="With --metric: as measured in this experiment.")
    ] = None,
    segment: Annotated[
        str | None, typer.Option(help="With --metric: only these units, such as country=US.")
    ] = None,
    effect: Annotated[
        str | None,
        typer.Option(
            help="Relative effect to find, such as 20% or 0.2, or -10% for a fall; 5% if nothing declares one."
        ),
    ] = None,
    absolute_effect: Annotated[
        str | None,
        typer.Option(
            help="Instead, an effect in the metric's unit, such as 0.5 or -0.5; of a rate, 1% is a point."
        ),
    ] = None,
    power: Annotated[float, typer.Option(help="Chance to find it.")] = 0.8,
    alpha: Annotated[float, typer.Option(help="Error over both sides and all arms.")] = 0.05,
    sides: Annotated[int, typer.Option(help="2, or 1 when only one direction counts.")] = 2,
    method: Annotated[PlanMethod | None, typer.Option(help="One way of judging; all if left out.")] = None,
    looks: Annotated[int, typer.Option(help="Planned looks of the sequential methods.")] = 14,
    arms: Annotated[int, typer.Option(help="Arms besides the control.")] = 1,
    ratio: Annotated[float, typer.Option(help="Units of an arm over units of the control.")] = 1.0,
    correlation: Annotated[
        float | None, typer.Option(help="With what is known before exposure (CUPED); measured with --metric.")
    ] = None,
    daily: Annotated[float | None, typer.Option(help="New units a day over all arms.")] = None,
    window: Annotated[float | None, typer.Option(help="Days until a unit's value is complete.")] = None,
    days: Annotated[
        list[int] | None, typer.Option(help="Durations to state the detectable effect for; repeatable.")
    ] = None,
    output: Annotated[
        ReportFormat, typer.Option("--format", help="For people or for machines.")
    ] = ReportFormat.text,
) -> None:
    """Say how many units and days an effect needs, and which effect a duration can find.

    From given numbers, or with `--metric` from the warehouse. Nothing is written. Units are those of the last
    look (of the open-ended SPRT on average); sequential methods stop earlier when the effect is there, after `expected`
    units on average. For Bayesian plans the rate of false ships under so many looks is simulated and printed.
    """
    from fairsplit.orchestration.library.planning import plan as planned

    report = planned(
        baseline,
        sd=sd,
        metric=metric,
        experiment=experiment,
        segment=segment,
        effect=effect,
        absolute_effect=absolute_effect,
        power=power,
        alpha=alpha,
        sides=sides,
        method=None if method is None else method.value,
        looks=looks,
        arms=arms,
        ratio=ratio,
        correlation=correlation,
        daily=daily,
        window=window,
        days=days or (),
    ).report
    print(json.dumps(report, indent=1) if output is ReportFormat.json else _text(report))


def _text(report: dict[str, Any]) -> str:
    from fairsplit.analysis.planning.baseline import LONGEST_DAYS
    from fairsplit.analysis.scorecards import format as fmt

    base = report["baseline"]
    value = fmt.percent(base["mean"]) if base["binary"] else f"{base['mean']:.4g}"
    relative = report["effect"] is not None
    size = abs(report["effect"]) if relative else abs(report["difference"])
    wanted = _size(math.copysign(size, report["difference"]), base, relative=relative, signed=True)
    wanted += " relative" if relative else ""
    judged = f"power {report['power']:g}, alpha {report['alpha']:g}, {report['sides']}-sided"
    lines = [f"To find {wanted} from {value} with {judged}, {report['arms'] + 1} arms:"]
    if base["source"]:
        part = f" where {base['segment']}" if base["segment"] else ""
        lines.append(f"  measured in {base['source']}{part} on {base['units']:,} control units")
    if base["correlation"]:
        lines.append(f"  CUPED takes {fmt.percent(base['correlation'] ** 2)} off the variance")
    if base["units_per_day_first_week"] is not None:
        lines.append(
            f"  {base['units_per_day_first_week']:,.0f} new units a day in the first week; "
            f"{base['window_days']:g} days until a unit's value is complete"
        )
    unknown = "–" if base["units_per_day_first_week"] is None else f"over {LONGEST_DAYS}"
    heads = ["method", "control", "each arm", "total", "expected", "days"]
    table = [
        [
            item["method"],
            *(f"{item[name]:,}" for name in ("control", "arm", "total", "expected")),
            unknown if item["days"] is None else f"{item['days']:,}",
        ]
        for item in report["designs"]
    ]
    lines += ["", *_aligned([heads, *table])]
    if report["bayesian_false_ships"] is not None:
        wrong = fmt.percent(report["bayesian_false_ships"])
        lines += [
            "",
            f"bayesian: without any effect {wrong} of such experiments ship an arm on some look (simulated)",
        ]
    if report["durations"]:
        form = "detectable_effect" if relative else "detectable_difference"
        methods = [item["method"] for item in report["designs"]]
        rows = [
            [
                f"{line['days']}",
                f"{line['units_analysed']:,}",
                *(
                    "–" if (found := line[form][name]) is None else _size(found, base, relative=relative)
                    for name in methods
                ),
            ]
            for line in report["durations"]
        ]
        lines += [
            "",
            "Smallest detectable relative effect:" if relative else "Smallest detectable difference:",
            *_aligned([["days", "analysed", *methods], *rows]),
        ]
    return "\n".join(lines)


def _size(value: float, base: dict[str, Any], *, relative: bool, signed: bool = False) -> str:
    """An effect as text: a share of the baseline, percentage points of a rate, or a number."""
    from fairsplit.analysis.scorecards import format as fmt

    if relative:
        return fmt.percent(value, signed=signed)
    if base["binary"]:
        return fmt.points(value).removeprefix("" if signed else "+")
    return f"{value:+.4g}" if signed else f"{value:.4g}"


def _aligned(rows: list[list[str]]) -> list[str]:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return [
        "  "
        + "  ".join(
            [row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    ]
