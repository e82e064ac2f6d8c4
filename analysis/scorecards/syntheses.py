"""The page of syntheses: a forest of each experiment's effect, what they come to together, and how much they differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from fairsplit.analysis.judgement.effects import Effect
from fairsplit.analysis.scorecards import format as fmt
from fairsplit.analysis.scorecards import wording
from fairsplit.analysis.scorecards.comparisons import metric_view
from fairsplit.analysis.scorecards.headline import effect_figures
from fairsplit.analysis.scorecards.intervals import axis_for
from fairsplit.analysis.scorecards.naming import safe_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairsplit.analysis.scorecards.inputs import MetricView, SiteInputs, SynthesisView
    from fairsplit.analysis.scorecards.intervals import Axis, Bar, Tick

Row = dict[str, Any]
_MODELS: Final = {
    "random": "Effects that differ (random effects, REML, Hartung–Knapp)",
    "fixed": "One common effect (fixed effect)",
}
LEFT_OUT: Final = {
    "gate_closed": "its data are faulty",
    "not_judged": "it has no result yet",
    "requirements_unmet": "its data do not meet what the test requires",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One experiment, or what a model makes of all of them; `why` where there is no effect."""

    name: str
    href: str
    arm: str
    n: str
    effect: str
    interval: str
    weight: str
    bar: Bar | None
    spoken: str
    why: str


@dataclass(frozen=True, slots=True)
class Forest:
    """One metric of a synthesis on one axis."""

    metric: str
    unit: str
    direction: str
    studies: Sequence[Line]
    models: Sequence[Line]
    heterogeneity: str
    prediction: str
    axis: Axis
    ticks: Sequence[tuple[Tick, str]]


@dataclass(frozen=True, slots=True)
class Panel:
    """One synthesis with its forests."""

    view: SynthesisView
    forests: Sequence[Forest]


def build(inputs: SiteInputs) -> list[Panel]:
    """The page's content, in the order of the definitions."""
    combined = [] if inputs.syntheses.is_empty() else inputs.syntheses.to_dicts()
    studies = [] if inputs.synthesis_studies.is_empty() else inputs.synthesis_studies.to_dicts()
    known = {experiment.id for experiment in inputs.experiments}
    panels = []
    for view in inputs.synthesis_views:
        mine = [row for row in combined if row["synthesis_id"] == view.id]
        names = list(dict.fromkeys(row["metric"] for row in studies if row["synthesis_id"] == view.id))
        panels.append(
            Panel(
                view,
                [
                    _forest(
                        metric_view(inputs.metrics, name),
                        {row["model"]: row for row in mine if row["metric"] == name},
                        [row for row in studies if (row["synthesis_id"], row["metric"]) == (view.id, name)],
                        known,
                    )
                    for name in names
                ],
            )
        )
    return panels


def document(inputs: SiteInputs) -> Row:
    """The rows behind the page, as ``api/syntheses.json``."""

    def plain(rows: Sequence[Row]) -> list[Row]:
        return [
            {key: value for key, value in row.items() if key not in {"cut_off", "code_hash"}} for row in rows
        ]

    return {
        "computed_at": inputs.cut_off.isoformat(),
        "syntheses": plain(inputs.syntheses.to_dicts()),
        "studies": plain(inputs.synthesis_studies.to_dicts()),
    }


def _forest(metric: MetricView, models: dict[str, Row], studies: Sequence[Row], known: set[str]) -> Forest:
    every = [*studies, *models.values()]
    axis = axis_for((row["ci_low"], row["ci_high"]) for row in every)
    random = models.get("random", {})
    return Forest(
        metric=metric.label,
        unit=metric.unit,
        direction=metric.direction,
        studies=[_study(row, metric, axis, known) for row in studies],
        models=[_model(models[name], metric, axis) for name in _MODELS if name in models],
        heterogeneity=_heterogeneity(random, metric),
        prediction=_prediction(random, metric),
        axis=axis,
        ticks=[
            (tick, "0" if tick.value == 0 else fmt.amount(tick.value, metric.unit, metric.kind, signed=True))
            for tick in axis.ticks
        ],
    )


def _figures(value: float, low: float | None, high: float | None, metric: MetricView) -> tuple[str, str]:
    return effect_figures(Effect(value, low, high, relative=False), metric)


def _study(row: Row, metric: MetricView, axis: Axis, known: set[str]) -> Line:
    name = row["experiment_id"]
    href = f"experiments/{safe_name(name)}.html" if name in known else ""
    if row["status"] != "ok":
        why = LEFT_OUT.get(row["reason"]) or wording.reason(row["reason"])
        return Line(name, href, row["variant_id"], fmt.count(row["n"]), "", "", "", None, "", why)
    effect, interval = _figures(row["effect"], row["ci_low"], row["ci_high"], metric)
    weight = fmt.MISSING
    if row["weight_random"] is not None:
        weight = f"{fmt.probability(row['weight_random'])} ({fmt.probability(row['weight_fixed'])} fixed)"
    return Line(
        name=name,
        href=href,
        arm=row["variant_id"],
        n=fmt.count(row["n"]),
        effect=effect,
        interval=interval,
        weight=weight,
        bar=axis.bar(row["effect"], row["ci_low"], row["ci_high"]),
        spoken=f"{name}: {effect}, interval {interval}",
        why="",
    )


def _model(row: Row, metric: MetricView, axis: Axis) -> Line:
    name = _MODELS[row["model"]]
    if row["status"] != "ok":
        why = (
            "fewer than two experiments have an effect"
            if row["reason"] == "too_few_experiments"
            else row["reason"]
        )
        return Line(name, "", "", "", "", "", "", None, "", why)
    effect, interval = _figures(row["estimate"], row["ci_low"], row["ci_high"], metric)
    return Line(
        name=name,
        href="",
        arm="",
        n=f"{row['studies']} experiments",
        effect=effect,
        interval=interval,
        weight=f"p = {fmt.p_value(row['p_value'])}",
        bar=axis.bar(row["estimate"], row["ci_low"], row["ci_high"]),
        spoken=f"{name}: {effect}, interval {interval}",
        why="",
    )


def _heterogeneity(row: Row, metric: MetricView) -> str:
    if not row or row["status"] != "ok":
        return ""
    # Of differences, so that a rate's are percentage points.
    spread = fmt.amount(row["tau2"] ** 0.5, metric.unit, metric.kind, signed=True).lstrip("+")
    return (
        f"Between the experiments: Q = {row['q']:.1f} on {row['studies'] - 1} degrees of freedom, "
        f"p = {fmt.p_value(row['q_p_value'])}; {fmt.probability(row['i2'])} of the variation lies between them (I²), "
        f"and true effects have a standard deviation of about {spread} (τ)."
    )


def _prediction(row: Row, metric: MetricView) -> str:
    if not row or row["status"] != "ok" or row["prediction_low"] is None:
        return ""
    _, between = _figures(row["estimate"], row["prediction_low"], row["prediction_high"], metric)
    return f"The true effect of a further experiment of this kind lies, with 95%, within {between}."
