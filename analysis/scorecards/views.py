"""Definitions as the pages show them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analysis.catalogue.hashing import experiment_hash
from analysis.scorecards import format as fmt
from analysis.scorecards.inputs import ArmView, ExperimentMetric, ExperimentView, MetricView, PlanView

if TYPE_CHECKING:
    from datetime import date, timedelta

    from analysis.catalogue import Experiment, MetricDefinition

_SECONDS_A_DAY = 86_400


def experiment_view(experiment: Experiment, source: str, read_on: date | None = None) -> ExperimentView:
    """What an experiment's page says of its definition.

    Args:
        experiment: Checked, with the project's defaults filled in.
        source: Text of the file that defines it.
        read_on: The day on which a plan that is read once was read.
    """
    weights = experiment.history[-1].weights
    plan = experiment.plan
    targeting = experiment.targeting
    return ExperimentView(
        id=experiment.id,
        name=experiment.name,
        owner=experiment.owner,
        status=experiment.status,
        type=experiment.type,
        unit=experiment.unit,
        hypothesis=experiment.hypothesis or "",
        start=experiment.start,
        end=experiment.end,
        arms=[
            ArmView(
                variant.id,
                variant.name or variant.id,
                variant.control,
                weights.get(variant.id, 0.0),
                variant.config,
                {name: str(level) for name, level in variant.levels.items()},
            )
            for variant in experiment.variants
        ],
        metrics=[
            ExperimentMetric(use.metric, role, use.minimum_effect, use.non_inferiority_margin)
            for role, use in experiment.metric_uses
        ],
        plan=PlanView(
            method=plan.method or "fixed",
            alpha=plan.alpha or 0.05,
            power=plan.power or 0.8,
            alternative=(plan.alternative or "two_sided").replace("_", "-"),
            correction=plan.correction or "none",
            cuped_days=plan.cuped_days or 0,
            min_sample=plan.min_sample,
            max_duration_days=_days(plan.max_duration),
        ),
        description=experiment.description or "",
        tags=experiment.tags,
        segments=experiment.segments,
        targeting="" if targeting is None else targeting.model_dump_json(by_alias=True, exclude_none=True),
        stopping=experiment.stopping.model_dump(mode="json", exclude_none=True),
        source=source,
        definition_hash=experiment_hash(experiment),
        analysis="crossovers_excluded" if experiment.crossovers == "exclude" else "default",
        read_on=read_on,
        shipped=experiment.shipped or "",
        activation=experiment.exposure.activation is not None,
        factors=[(factor.name, [str(level) for level in factor.levels]) for factor in experiment.factors],
    )


def metric_view(metric: MetricDefinition) -> MetricView:
    """What the pages say of a metric."""
    window = fmt.window(metric.window_start, metric.window_end)
    return MetricView(
        metric.name,
        metric.label,
        metric.description,
        metric.kind,
        metric.unit,
        metric.direction,
        window,
        metric.scale_y,
        _days(metric.window_end) or 0.0,
    )


def _days(duration: timedelta | None) -> float | None:
    return None if duration is None else duration.total_seconds() / _SECONDS_A_DAY
