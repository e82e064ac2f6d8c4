"""Views of the project's own catalogue, for `SiteInputs`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from analysis.catalogue import experiment_hash
from analysis.scorecards import format as fmt
from analysis.scorecards.inputs import (
    ArmView,
    DefinitionChange,
    ExperimentMetric,
    ExperimentView,
    FailedDefinition,
    MetricView,
    PlanView,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from analysis.catalogue import Catalogue, Experiment, MetricDefinition

_FOLDER = "experiments/"


def experiment_views(
    catalogue: Catalogue, history: Mapping[str, Sequence[DefinitionChange]] | None = None
) -> list[ExperimentView]:
    """Every sound experiment, in the catalogue's order.

    Args:
        catalogue: As loaded.
        history: Lifecycle and definition changes by experiment, oldest first.
    """
    changes = history or {}
    return [_experiment(item, changes.get(item.id, ())) for item in catalogue.experiments.values()]


def failed_definitions(catalogue: Catalogue) -> list[FailedDefinition]:
    """Every experiment file that did not load, with its problems."""
    return [
        FailedDefinition(stem, problems)
        for stem, problems in sorted(catalogue.broken.items())
        if any(problem.where.startswith(_FOLDER) for problem in problems)
    ]


def metric_views(metrics: Mapping[str, MetricDefinition]) -> dict[str, MetricView]:
    """Every metric by name."""
    return {
        name: MetricView(
            name=name,
            label=metric.label,
            description=metric.description,
            kind=metric.kind,
            unit=metric.unit,
            direction=metric.direction,
            window=fmt.window(metric.window_start, metric.window_end),
        )
        for name, metric in metrics.items()
    }


def _experiment(item: Experiment, history: Sequence[DefinitionChange]) -> ExperimentView:
    plan = item.plan
    weights = item.history[-1].weights
    stated = item.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return ExperimentView(
        id=item.id,
        name=item.name,
        owner=item.owner,
        status=item.status,
        type=item.type,
        unit=item.unit,
        hypothesis=item.hypothesis or "",
        description=item.description or "",
        tags=item.tags,
        start=item.start,
        end=item.end,
        arms=[
            ArmView(
                arm.id,
                arm.name or _title(arm.id),
                arm.control,
                weights.get(arm.id, 0.0),
                ({"description": arm.description} if arm.description else {}) | arm.config,
            )
            for arm in item.variants
        ],
        metrics=[
            ExperimentMetric(use.metric, role, use.minimum_effect, use.non_inferiority_margin)
            for role, use in item.metric_uses
        ],
        plan=PlanView(
            method=plan.method or "fixed",
            alpha=plan.alpha or 0.05,
            power=plan.power or 0.8,
            alternative=(plan.alternative or "two_sided").replace("_", "-"),
            correction=plan.correction or "holm",
            cuped_days=plan.cuped_days or 0,
            min_sample=plan.min_sample,
            max_duration_days=plan.max_duration.total_seconds() / 86400 if plan.max_duration else None,
        ),
        segments=item.segments,
        targeting=_yaml(stated["targeting"]) if item.targeting is not None and "targeting" in stated else "",
        stopping=item.stopping.model_dump(mode="json", exclude_none=True),
        source=_yaml(stated),
        definition_hash=experiment_hash(item),
        history=history,
    )


def _title(identity: str) -> str:
    """A slug as a name: ``new_layout`` reads ``New layout``."""
    spaced = identity.replace("_", " ").replace("-", " ")
    return spaced[:1].upper() + spaced[1:]


def _yaml(value: Any) -> str:
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True).strip()
