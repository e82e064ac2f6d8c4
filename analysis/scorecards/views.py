"""Definitions as the pages show them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairsplit.analysis.catalogue.hashing import experiment_hash
from fairsplit.analysis.scorecards import format as fmt
from fairsplit.analysis.scorecards.conditions import behaviour_words, condition_words
from fairsplit.analysis.scorecards.inputs import (
    ArmView,
    ExperimentMetric,
    ExperimentView,
    FlagView,
    MetricView,
    PlanView,
    SegmentView,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime, timedelta
    from typing import Any

    from fairsplit.analysis.catalogue import Experiment, Flag, MetricDefinition, Segment

_SECONDS_A_DAY = 86_400
_ABOUT = {"version", "author", "tags", "created", "updated"}


def experiment_view(
    experiment: Experiment, source: str, read_on: date | None = None, status: str | None = None
) -> ExperimentView:
    """What an experiment's page says of its definition.

    Args:
        experiment: Checked, with the project's defaults filled in.
        source: Text of the file that defines it.
        read_on: The day on which a plan that concludes once was read.
        status: The one at the cut-off; the declared one if left out.
    """
    weights = experiment.history[-1].weights
    plan = experiment.plan
    targeting = experiment.targeting
    return ExperimentView(
        id=experiment.id,
        name=experiment.name,
        owner=experiment.owner,
        status=status or experiment.status,
        may_act=experiment.status == "running",
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
                variant.model_dump(mode="json", include=_ABOUT, exclude_defaults=True),
            )
            for variant in experiment.variants
        ],
        metrics=[
            ExperimentMetric(
                use.metric,
                role,
                *(
                    size.relative if size else None
                    for size in (use.minimum_effect, use.non_inferiority_margin)
                ),
                *(
                    size.absolute if size else None
                    for size in (use.minimum_effect, use.non_inferiority_margin)
                ),
            )
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
        intake=_intake(experiment),
        factors=[(factor.name, [str(level) for level in factor.levels]) for factor in experiment.factors],
    )


def _intake(experiment: Experiment) -> list[tuple[datetime, float]]:
    """The share of the eligible that each phase lets in, inside the share of the layer."""
    layer = experiment.layer
    width = 1.0 if layer is None else layer.to - layer.from_
    return [(phase.start, phase.traffic * width) for phase in experiment.history]


def flag_view(flag: Flag, segments: Mapping[str, str], ramp: str = "") -> FlagView:
    """What the page of flags says of one.

    Args:
        flag: The flag, with the rollout that is in force.
        segments: Names of the named segments, by id.
        ramp: Where its ramp stands, in words; empty without one.
    """
    return FlagView(
        id=flag.id,
        name=flag.name,
        owner=flag.owner,
        type=flag.type,
        sdk=flag.sdk,
        enabled=flag.enabled,
        served=flag.served,
        default=flag.default,
        rollout=flag.rollout,
        ramp=ramp,
        targeting="" if flag.targeting is None else condition_words(flag.targeting, segments),
        depends_on=[(need.flag, need.value) for need in flag.depends_on],
        overrides=len(flag.overrides),
        experiment=flag.experiment or "",
        description=flag.description or "",
    )


def segment_view(segment: Segment, segments: Mapping[str, str], size: Mapping[str, Any]) -> SegmentView:
    """What the page says of a segment.

    Args:
        segment: Checked.
        segments: Names of the named segments, by id.
        size: ``first_day``, and the counts ``units``, ``inside`` and ``unknown``.
    """
    return SegmentView(
        id=segment.id,
        name=segment.name,
        active=segment.active,
        unit=segment.unit,
        condition=behaviour_words(segment.behaviour)
        if segment.behaviour is not None
        else condition_words(segment.membership, segments),
        first_day=size["first_day"],
        units=size["units"],
        inside=size["inside"],
        unknown=size["unknown"],
        description=segment.description or "",
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
