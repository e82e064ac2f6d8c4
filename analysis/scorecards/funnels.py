"""Funnels and losses: how many units each step kept, per arm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fairsplit.analysis.scorecards import format as fmt
from fairsplit.analysis.scorecards import wording
from fairsplit.analysis.scorecards.comparisons import metric_view

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fairsplit.analysis.scorecards.inputs import ExperimentView, MetricView

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class StepLine:
    """One step of a funnel: per arm the count, its share of the step before, and a bar's width in %."""

    name: str
    values: Sequence[tuple[str, str, float]]


@dataclass(frozen=True, slots=True)
class Funnel:
    """Steps in order, one column per arm."""

    title: str
    arms: Sequence[str]
    steps: Sequence[StepLine]


@dataclass(frozen=True, slots=True)
class LossTable:
    """Units set aside: per reason one count for each column."""

    columns: Sequence[str]
    lines: Sequence[tuple[str, Sequence[str]]]


def kept(
    experiment: ExperimentView, losses: Sequence[Row], primary: Sequence[Row], exposed: Row
) -> Funnel | None:
    """Units per arm from step to step, as far as each step is known."""
    known: dict[str, dict[str, int]] = (
        {"activated" if experiment.activation else "exposed": dict(exposed)} if exposed else {}
    )
    for row in losses:
        if row["step"] in wording.FUNNEL_STEPS:
            known.setdefault(row["step"], {})[str(row["variant_id"])] = row["units"] or 0
    analysed = {row["variant_id"]: row.get("n") or 0 for row in primary}
    if any(analysed.values()):
        known.setdefault("analysed", analysed)
    steps = [(wording.loss_step(step), known[step]) for step in wording.FUNNEL_STEPS if step in known]
    return _funnel("Units kept, per arm", experiment, steps) if len(steps) > 1 else None


def set_aside(experiment: ExperimentView, losses: Sequence[Row]) -> LossTable | None:
    """Units set aside per reason and arm; what names no declared arm stands in the last column."""
    places = {arm.id: place for place, arm in enumerate(experiment.arms)}
    counts: dict[str, list[int]] = {}
    for row in losses:
        if row["step"] not in wording.FUNNEL_STEPS:
            line = counts.setdefault(row["step"], [0] * (len(places) + 1))
            line[places.get(row.get("variant_id") or "", len(places))] += row["units"] or 0
    if not counts:
        return None
    lines = [
        (wording.loss_step(step), [fmt.count(value) for value in counts[step]]) for step in sorted(counts)
    ]
    return LossTable([*(arm.label for arm in experiment.arms), "Other or none"], lines)


def conversion_funnels(
    experiment: ExperimentView, metrics: Mapping[str, MetricView], rows: Sequence[Row], whole: Sequence[Row]
) -> list[Funnel]:
    """Conversion funnels, each beginning with the units that the metric counts."""
    found = []
    for name in sorted({row["metric"] for row in rows}):
        steps: dict[int, tuple[str, dict[str, int]]] = {}
        for row in rows:
            if row["metric"] == name:
                step = steps.setdefault(row["position"], (wording.words(row["step"], {}), {}))
                step[1][row["variant_id"]] = row["units"]
        counted = {row["variant_id"]: row.get("n") or 0 for row in whole if row["metric"] == name}
        start = [("Units counted", counted)] if any(counted.values()) else []
        title = metric_view(metrics, name).label
        funnel = _funnel(title, experiment, [*start, *(steps[place] for place in sorted(steps))])
        if funnel:
            found.append(funnel)
    return found


def _funnel(
    title: str, experiment: ExperimentView, steps: Sequence[tuple[str, dict[str, int]]]
) -> Funnel | None:
    if not steps:
        return None
    arms = list(experiment.arms)
    lines = []
    previous: dict[str, int] = {}
    first = steps[0][1]
    for name, counts in steps:
        values = []
        for arm in arms:
            now, before, start = counts.get(arm.id, 0), previous.get(arm.id), first.get(arm.id, 0)
            share = fmt.percent(now / before) if before else ""
            values.append((fmt.count(now), share, round(100.0 * now / start, 2) if start else 0.0))
        previous = counts
        lines.append(StepLine(name, values))
    return Funnel(title, [arm.label for arm in arms], lines)
