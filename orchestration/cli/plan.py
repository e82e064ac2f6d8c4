"""`fairsplit plan`: sample size, duration and smallest detectable effect, before anything starts."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fairsplit.analysis.errors import Problem
from fairsplit.orchestration.cli import app
from fairsplit.orchestration.cli.formats import ReportFormat
from fairsplit.orchestration.errors import OrchestrationError

if TYPE_CHECKING:
    from fairsplit.analysis.catalogue.sizes import Size
    from fairsplit.analysis.planning.baseline import Baseline
    from fairsplit.analysis.statistics.experiment_plan import Setup

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
    from fairsplit.analysis.planning.reading import share
    from fairsplit.analysis.statistics.experiment_plan import Setup

    if (baseline is None) == (metric is None):
        raise OrchestrationError(
            Problem("nothing to plan for, or too much", where="plan", rule="either --baseline or --metric")
        )
    if effect and absolute_effect:
        raise OrchestrationError(
            Problem("two effects to plan for", where="plan", rule="either --effect or --absolute-effect")
        )
    if metric is None:
        start, declared = _given(share(baseline or "", "--baseline"), sd), None
    else:
        start, declared = _measured(metric, experiment, segment)
    start = _overridden(start, correlation, daily, window)
    wanted = _wanted(effect, absolute_effect, declared)
    setups = [
        Setup(alpha=alpha, power=power, sides=sides, method=name, looks=looks, arms=arms, ratio=ratio)
        for name in ([method.value] if method else PlanMethod)
    ]
    report = _report(start, wanted, setups, sorted(set(days or (7, 14, 21, 28, 42, 56))))
    print(json.dumps(report, indent=1) if output is ReportFormat.json else _text(report))


def _wanted(effect: str | None, absolute_effect: str | None, declared: Size | None) -> Size:
    """The effect asked for, else the declared one, else the default; of either sign where it was asked for."""
    from fairsplit.analysis.catalogue.sizes import Size
    from fairsplit.analysis.planning.reading import share

    if effect:
        return Size.model_construct(relative=share(effect, "--effect"))
    if absolute_effect:
        return Size.model_construct(absolute=share(absolute_effect, "--absolute-effect"))
    return declared or Size(relative=_DEFAULT_EFFECT)


def _given(value: float, sd: float | None) -> Baseline:
    from fairsplit.analysis.planning.baseline import Baseline

    binary = sd is None
    if binary and not 0 < value < 1:
        raise OrchestrationError(
            Problem(
                "not a rate", where="--baseline", value=str(value), rule="between 0 and 1, or --sd for a mean"
            )
        )
    return Baseline("", binary=binary, mean=value, variance=value * (1 - value) if sd is None else sd**2)


def _measured(metric: str, experiment: str | None, segment: str | None) -> tuple[Baseline, Size | None]:
    from fairsplit.orchestration.catalogue.loading import read_definitions
    from fairsplit.orchestration.project import Home
    from fairsplit.orchestration.reading.baselines import minimum_effect, warehouse_baseline
    from fairsplit.orchestration.warehouse.opening import reader

    column, equals, level = (segment or "all=all").partition("=")
    if not equals:
        raise OrchestrationError(
            Problem("not a segment", where="--segment", value=segment or "", rule="column=level")
        )
    definitions = read_definitions()
    with reader(Home.from_environment().warehouse) as connection:
        found = warehouse_baseline(connection, definitions, metric, experiment, (column, level))
    return found, minimum_effect(definitions, metric, experiment, found.mean)


def _overridden(
    start: Baseline, correlation: float | None, daily: float | None, window: float | None
) -> Baseline:
    from dataclasses import replace

    from fairsplit.analysis.planning.baseline import LONGEST_DAYS

    if correlation is not None:
        start = replace(start, correlation=correlation)
    if window is not None:
        start = replace(start, window_days=window)
    if daily is not None:
        start = replace(start, forecast=(daily,) * LONGEST_DAYS)
    return start


def _report(start: Baseline, wanted: Size, setups: list[Setup], days: list[int]) -> dict[str, Any]:
    """The plan as data; effects that nothing can find are null."""
    from fairsplit.analysis.planning.design import analysed_by, design, detectable
    from fairsplit.analysis.planning.false_ships import false_ships

    described = {name: value for name, value in asdict(start).items() if name != "forecast"}
    described["units_per_day_first_week"] = sum(start.forecast[:7]) / 7 if start.forecast else None
    first = setups[0]
    difference = start.difference(wanted.value, absolute=wanted.is_absolute)
    durations = []
    if start.forecast:
        totals = analysed_by(start, days)
        up = difference > 0
        found = {
            form: [detectable(start, totals, setup, absolute=form == "difference", up=up) for setup in setups]
            for form in ("effect", "difference")
        }
        durations = [
            {
                "days": day,
                "units_analysed": round(float(total)),
                **{
                    f"detectable_{form}": {
                        setup.method: None if math.isnan(sizes[place]) else float(sizes[place])
                        for setup, sizes in zip(setups, arrays, strict=True)
                    }
                    for form, arrays in found.items()
                },
            }
            for place, (day, total) in enumerate(zip(days, totals, strict=True))
        ]
    return {
        "baseline": described,
        "effect": None if wanted.is_absolute else wanted.value,
        "difference": difference,
        "alpha": first.alpha,
        "power": first.power,
        "sides": first.sides,
        "arms": first.arms,
        "ratio": first.ratio,
        "designs": [
            asdict(design(start, wanted.value, setup, absolute=wanted.is_absolute)) for setup in setups
        ],
        "bayesian_false_ships": next(
            (false_ships(setup) for setup in setups if setup.method == "bayesian"), None
        ),
        "durations": durations,
    }


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
