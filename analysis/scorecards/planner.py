"""The planner page: per metric what the warehouse measured, and what an experiment of a given length can find."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np

from fairsplit.analysis.planning.baseline import LONGEST_DAYS, Baseline, measured
from fairsplit.analysis.planning.design import analysed_by, detectable, power
from fairsplit.analysis.scorecards import format as fmt
from fairsplit.analysis.scorecards import wording
from fairsplit.analysis.scorecards.charts import Chart
from fairsplit.analysis.scorecards.naming import safe_name
from fairsplit.analysis.statistics.experiment_plan import Setup

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fairsplit.analysis.scorecards.inputs import MetricView, SiteInputs
    from fairsplit.analysis.statistics.checks import FloatArray

METHODS = ("fixed", "group_sequential", "always_valid")
DURATIONS = (7, 14, 21, 28, 42, 56)
_SUMMED_UP = (14, 28)
_CURVES = (14, 28, 56)
_POINTS = 12


@dataclass(frozen=True, slots=True)
class DurationLine:
    """One length of an experiment: units analysed by then and the detectable effect under each method."""

    days: int
    units: str
    effects: Sequence[str]
    numbers: Sequence[float | None]


@dataclass(frozen=True, slots=True)
class MetricPlan:
    """One metric that can be planned for."""

    name: str
    label: str
    value: str
    cuped: str
    daily: str
    window: str
    source: str
    page: str
    summary: Sequence[str]
    durations: Sequence[DurationLine]
    chart: Chart | None
    answers: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Planner:
    """The page: metrics with a baseline, and the names of those without."""

    metrics: Sequence[MetricPlan]
    unmeasured: Sequence[str]
    methods: Sequence[str]
    summed_up: Sequence[int]
    setup: Setup
    data: Mapping[str, Any]


def build(inputs: SiteInputs) -> Planner:
    """What can be planned from the newest results; metrics whose only experiments are invalid have no baseline.

    Args:
        inputs: The site's inputs.
    """
    setups = [Setup(method=method) for method in METHODS]
    known = [experiment.id for experiment in inputs.experiments]
    newest = inputs.validity
    failed: set[str] = set()
    if not newest.is_empty():
        newest = newest.filter(newest["cut_off"] == newest["cut_off"].max(), newest["status"] == "fail")
        failed = set(newest["experiment_id"])
    plans: list[MetricPlan] = []
    unmeasured: list[str] = []
    for name, metric in sorted(inputs.metrics.items(), key=lambda item: item[1].label.casefold()):
        found = measured(
            inputs.comparisons,
            inputs.daily_exposures,
            name,
            kind=metric.kind,
            direction=metric.direction,
            window_days=metric.window_days,
            leave_out=failed,
        )
        if found is None or found.source not in known:
            unmeasured.append(metric.label)
        else:
            plans.append(_plan(metric, found, setups))
    methods = [wording.words(method, wording.METHODS) for method in METHODS]
    data = {
        "grid": _grid(),
        "metrics": {plan.name: plan.answers for plan in plans},
        "longest": LONGEST_DAYS,
    }
    return Planner(plans, unmeasured, methods, _SUMMED_UP, setups[0], data)


@cache
def _grid() -> dict[str, Any]:
    """Quantiles and factors of the calculator, as `fairsplit.analysis.planning.calculator` computed them once."""
    text = (resources.files("fairsplit.analysis.scorecards") / "assets" / "plan_grid.json").read_text(
        encoding="utf-8"
    )
    found: dict[str, Any] = json.loads(text)
    return found


def _answers(baseline: Baseline) -> dict[str, Any]:
    """What the calculator's form is filled with: numbers as one would type them."""
    week = baseline.forecast[:7]
    return {
        "baseline": f"{baseline.mean:.6g}",
        "sd": "" if baseline.binary else f"{math.sqrt(baseline.variance):.6g}",
        "correlation": f"{baseline.correlation:.4g}" if baseline.correlation else "",
        "daily": f"{sum(week) / len(week):.0f}" if week else "",
        "window": f"{baseline.window_days:g}",
        "falls": baseline.sign < 0,
    }


def _plan(metric: MetricView, baseline: Baseline, setups: Sequence[Setup]) -> MetricPlan:
    totals = analysed_by(baseline, DURATIONS)
    # A share of a value at or below zero says little: such a metric is planned in its own unit.
    absolute = baseline.mean <= 0
    effects = np.stack([detectable(baseline, totals, setup, absolute=absolute) for setup in setups], axis=-1)
    lines = [
        DurationLine(
            days,
            fmt.count(round(float(total))),
            [_shown(value, metric, absolute=absolute) for value in row],
            [None if math.isnan(value) else float(value) for value in row],
        )
        for days, total, row in zip(DURATIONS, totals, effects, strict=True)
    ]
    week = baseline.forecast[:7]
    factor, unit = fmt.time_unit(metric.unit, baseline.mean)
    return MetricPlan(
        name=metric.name,
        label=metric.label,
        value=fmt.amount(baseline.mean / factor, unit, metric.kind),
        cuped=fmt.percent(baseline.correlation**2) if baseline.correlation else "",
        daily=fmt.count(round(sum(week) / len(week))) if week else fmt.MISSING,
        window=metric.window,
        source=baseline.source,
        page=safe_name(baseline.source),
        summary=[line.effects[0] for line in lines if line.days in _SUMMED_UP],
        durations=lines,
        answers=_answers(baseline),
        chart=None if absolute else _curves(metric, baseline, lines, setups[0]),
    )


def _shown(value: float, metric: MetricView, *, absolute: bool) -> str:
    if math.isnan(value):
        return fmt.MISSING
    return fmt.amount(float(value), metric.unit, metric.kind) if absolute else fmt.percent(float(value))


def _curves(
    metric: MetricView, baseline: Baseline, lines: Sequence[DurationLine], setup: Setup
) -> Chart | None:
    """Power against the true effect, read once, for the lengths by which some window has closed."""
    reached = [line.numbers[0] for line in lines if line.days in _CURVES and line.numbers[0] is not None]
    if not reached:
        return None
    effects = np.linspace(0, 1.6 * max(reached), _POINTS + 1)[1:]
    names: list[str] = []
    points: list[list[float]] = []
    columns: list[FloatArray] = []
    for days in _CURVES:
        total = float(analysed_by(baseline, [days])[0])
        if total > 0:
            chances = power(baseline, effects, total, setup)
            points += [
                [float(f"{effect:.3g}"), len(names), float(f"{chance:.3g}")]
                for effect, chance in zip(effects, chances, strict=True)
                if not math.isnan(chance)
            ]
            columns.append(chances)
            names.append(f"{days} days")
    table: list[list[str]] = [
        [
            fmt.percent(float(effect)),
            *(fmt.MISSING if math.isnan(c[i]) else fmt.percent(float(c[i])) for c in columns),
        ]
        for i, effect in enumerate(effects)
        if i % 3 == 2
    ]
    data: dict[str, Any] = {"kind": "power", "arms": names, "points": points, "goal": setup.power}
    return Chart(
        id=f"power-{metric.name}",
        title="Power",
        note="Chance to find a true relative effect when the data are read once, by length of the experiment.",
        data=data,
        columns=["True effect", *names],
        table=table,
    )
