"""A catalogue for a file that has none: one finished experiment per name, as the file's columns define it."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING

from fairsplit.analysis.catalogue.experiment import (
    Experiment,
    Metrics,
    MetricUse,
    Phase,
    Plan,
    Salts,
    Variant,
)
from fairsplit.analysis.catalogue.loading import Catalogue
from fairsplit.analysis.catalogue.metrics import MetricDefinition, canonical_hash
from fairsplit.analysis.catalogue.project import Project
from fairsplit.analysis.flat_files.arms import ratio_of
from fairsplit.analysis.flat_files.places import is_adjusted, is_ratio, segment_name
from fairsplit.analysis.parts.installed import installed, is_custom

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fairsplit.analysis.flat_files.places import Scales
    from fairsplit.analysis.flat_files.request import MetricColumn, Request
    from fairsplit.analysis.flat_files.roles import Roles

OWNER = "fairsplit analyze"
_TESTS = {"mean": "welch"}
_UNITS = {"proportion": "share of units", "z": "share of units"}
_KINDS = {"z": "proportion", "mann_whitney": "mean", "ks": "mean"}


def metric_definitions(roles: Roles, scales: Scales) -> dict[str, MetricDefinition]:
    """The metrics by name."""
    return {
        metric.name: _definition(metric, scales.y[number], scales.d[number], roles)
        for number, metric in enumerate(roles.metrics)
    }


def _definition(metric: MetricColumn, scale_y: int, scale_d: int, roles: Roles) -> MetricDefinition:
    facts = {
        "columns": metric.columns,
        "type": metric.type,
        "percentile": metric.percentile,
        "direction": metric.direction,
        "covariates": roles.covariates,
        "by": roles.by,
        "caps": None if metric.caps is None else metric.caps.text,
        "cluster": roles.cluster,
    }
    return MetricDefinition(
        name=metric.name,
        label=metric.name,
        description=f"{' / '.join(metric.columns)}, as {metric.type}{_caps_text(metric)}.",
        kind=_kind(metric.type),
        unit=_UNITS.get(metric.type, f"{metric.column} per {metric.denominator or 'unit'}"),
        direction=metric.direction,
        window_start=timedelta(0),
        window_end=None,
        cuped=is_adjusted(metric, roles),
        winsorize=None if metric.caps is None else metric.caps.as_winsorize,
        percentile=metric.percentile,
        funnel=(),
        test=_TESTS.get(metric.type, metric.type),
        numerator=metric.column,
        denominator=metric.denominator if is_ratio(metric, roles) else None,
        scale_y=scale_y,
        scale_d=scale_d,
        definition_hash=canonical_hash(facts),
        covariate=_covariate_label(metric, roles),
    )


def _caps_text(metric: MetricColumn) -> str:
    return "" if metric.caps is None else f", capped to {metric.caps.text}"


def _kind(type_: str) -> str:
    if is_custom(type_):
        return "custom" if type_ in installed("metrics") else "mean"
    return _KINDS.get(type_, type_)


def _covariate_label(metric: MetricColumn, roles: Roles) -> str | None:
    if len(roles.covariates) < 2:
        return next(iter(roles.covariates), None)
    return f"{' and '.join(roles.covariates)}, as they foretell {metric.name},"


def catalogue_of(arms: Mapping[str, Sequence[str]], roles: Roles, request: Request, unit: str) -> Catalogue:
    """Experiments over the one day of the cut-off, concluded by a fixed plan.

    The models are filled without validation: here names are the file's data, not slugs that somebody chose.

    Args:
        arms: Arms per experiment, the control first.
        roles: Every column's part; the first metric is primary.
        request: Level, split and day.
        unit: What a unit is, for the page.
    """
    start = datetime.combine(request.cut_off, time())
    uses = tuple(MetricUse.model_construct(metric=metric.name) for metric in roles.metrics)
    project = Project(first_day=request.cut_off)
    plan = Plan(method="fixed", alpha=request.alpha, min_sample=2, cuped_days=0).model_copy(
        update={"max_duration": timedelta(days=1)}
    )
    experiments = {}
    for name, declared in arms.items():
        shares = list(ratio_of(name, request)) or [1.0] * len(declared)
        weights = {arm: share / sum(shares) for arm, share in zip(declared, shares, strict=True)}
        experiments[name] = Experiment.model_construct(
            id=name,
            name=name,
            owner=OWNER,
            type="ab" if len(declared) == 2 else "abn",
            unit=unit,
            status="completed",
            start=start,
            end=start + timedelta(days=1),
            phases=(Phase.model_construct(start=start, weights=weights, salts=Salts()),),
            variants=tuple(
                Variant.model_construct(id=arm, control=position == 0)
                for position, arm in enumerate(declared)
            ),
            segments=tuple(segment_name(column, roles) for column in roles.segments),
            crossovers=request.crossovers,
            metrics=Metrics.model_construct(primary=uses[:1], secondary=uses[1:]),
            plan=plan,
        ).with_defaults(project.defaults)
    return Catalogue(project, experiments, {}, {}, {}, (), {})
