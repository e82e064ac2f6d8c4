"""Main effects and interactions of a multivariate experiment, from the result rows of its arms."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from fairsplit.analysis.judgement.direction import sign_of
from fairsplit.analysis.scorecards import format as fmt
from fairsplit.analysis.scorecards import wording
from fairsplit.analysis.scorecards.comparisons import metric_view, tick_labels
from fairsplit.analysis.scorecards.intervals import Axis, Bar, Tick, axis_for
from fairsplit.analysis.statistics.factorial import factorial_effects
from fairsplit.analysis.statistics.moments import Moments

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fairsplit.analysis.scorecards.inputs import ExperimentView, MetricView

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Term:
    """One main effect or interaction; the bar is relative to the mean of all arms."""

    name: str
    interaction: bool
    effect: str
    interval: str
    relative: str
    p_value: str
    tone: str
    word: str
    bar: Bar
    estimate: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class FactorialMetric:
    """One metric with its terms, main effects first."""

    name: str
    label: str
    sentence: str
    terms: Sequence[Term]
    axis: Axis
    ticks: Sequence[tuple[Tick, str]]


def factorial_panels(
    experiment: ExperimentView, metrics: Mapping[str, MetricView], rows: Sequence[Row]
) -> list[FactorialMetric]:
    """One panel per metric whose every combination of levels has been measured in one arm.

    Each effect compares a level with the factor's first one, averaged evenly over the other factors; an
    interaction is the difference of such differences. Two factors at most interact.

    Args:
        experiment: With its factors; without any there is no panel.
        metrics: Metric views by name.
        rows: Result rows of the whole population.
    """
    if not experiment.factors:
        return []
    panels = []
    for use in experiment.metrics:
        cells = _cells(experiment, [row for row in rows if row["metric"] == use.metric])
        if cells is not None:
            panels.append(_panel(experiment, metric_view(metrics, use.metric), *cells))
    return panels


def _cells(experiment: ExperimentView, rows: Sequence[Row]) -> tuple[Moments, float] | None:
    """The arms' moments in the shape of the factors, and the mean of all; None when a combination is missing."""
    measured = {
        row["variant_id"]: row for row in rows if row["status"] == "ok" and (row.get("std_error") or 0) > 0
    }
    arms = {
        tuple(str(arm.levels.get(name)) for name, _ in experiment.factors): arm.id for arm in experiment.arms
    }
    found = [
        measured.get(arms.get(combination, ""))
        for combination in product(*(lv for _, lv in experiment.factors))
    ]
    whole = [row for row in found if row is not None]
    if len(whole) < len(found) or len(experiment.arms) != len(found):
        return None
    names = ("n", "mean", "std_error")
    if any(row.get("stratified_by") or row.get("phase_mean") is not None for row in whole):
        # The weights changed: each cell with the same weights of the phases, or no cells.
        names = ("n", "phase_mean", "phase_std_error")
        if not all(row.get("phase_std_error") for row in whole):
            return None
    shape = tuple(len(levels) for _, levels in experiment.factors)
    n, mean, error = (np.array([row[name] for row in whole], dtype=np.float64) for name in names)
    moments = Moments.from_summary(n.reshape(shape), mean.reshape(shape), (error * np.sqrt(n)).reshape(shape))
    return moments, float(mean.mean())


def _panel(experiment: ExperimentView, metric: MetricView, cells: Moments, level: float) -> FactorialMetric:
    effects = factorial_effects(cells, len(experiment.factors), alpha=experiment.plan.alpha)
    found = effects.contrasts
    base = abs(level) or 1.0
    axis = axis_for(
        [(float(lo) / base, float(hi) / base) for lo, hi in zip(found.ci_low, found.ci_high, strict=True)]
    )
    divisor, unit = fmt.time_unit(metric.unit, level)
    sign = sign_of(metric.direction)
    terms = []
    for place, term in enumerate(effects.terms):
        value, low, high = (float(a[place]) for a in (found.estimate, found.ci_low, found.ci_high))
        half = (high - low) / 2
        interaction = len(term) > 1
        clear = low > 0 or high < 0
        tone = "unclear" if not clear or interaction else ("good" if sign * value > 0 else "bad")

        def said(number: float, half: float = half) -> str:
            return fmt.amount(number / divisor, unit, metric.kind, signed=True, scale=half / divisor)

        terms.append(
            Term(
                name=_name(experiment, term),
                interaction=interaction,
                effect=said(value),
                interval=fmt.between(said(low), said(high)),
                relative=fmt.percent(value / base, signed=True, half_width=half / base),
                p_value=fmt.p_value(float(found.p_value[place])),
                tone=tone,
                word=_word(tone, interaction=interaction, clear=clear),
                bar=axis.bar(value / base, low / base, high / base),
                estimate=value,
                low=low,
                high=high,
            )
        )
    return FactorialMetric(metric.name, metric.label, _sentence(terms), terms, axis, tick_labels(axis))


def _name(experiment: ExperimentView, term: Sequence[tuple[int, int]]) -> str:
    parts = [(experiment.factors[factor][0], experiment.factors[factor][1], level) for factor, level in term]
    if len(parts) == 1:
        name, levels, level = parts[0]
        return f"{name}: {levels[level]} instead of {levels[0]}"
    return " × ".join(f"{name} {levels[level]}" for name, levels, level in parts)


def _word(tone: str, *, interaction: bool, clear: bool) -> str:
    if interaction:
        return "they depend on each other" if clear else "no sign of dependence"
    return {"good": "better", "bad": "worse"}.get(tone, "unclear")


def _sentence(terms: Sequence[Term]) -> str:
    """What to take from the panel before reading it."""
    together = [term for term in terms if term.interaction]
    depends = [term.name for term in together if term.low > 0 or term.high < 0]
    if depends:
        return f"Read the arms, not the factors: {', '.join(depends)} do more, or less, together than the sum of both."
    tested = wording.counted(len(together), "combination")
    return (
        f"The factors act independently as far as the data show ({tested} tested):"
        " each effect holds whatever the others are."
    )
