"""Syntheses: experiments whose effects on the same metrics are combined."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, model_validator

from fairsplit.analysis.catalogue.checks import identity_findings
from fairsplit.analysis.catalogue.fields import Items, Name, Slug, Strict, Text, VariantId
from fairsplit.analysis.catalogue.findings import Finding, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic import GetJsonSchemaHandler
    from pydantic_core import CoreSchema

    from fairsplit.analysis.catalogue.experiment import Experiment
    from fairsplit.analysis.catalogue.metric_definition import MetricDefinition


class Study(Strict):
    """One experiment of a synthesis; a bare id is the experiment with its only treatment."""

    experiment: Slug
    variant: VariantId | None = None
    """Which arm is compared with the control; needed where there are several."""

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        return {"experiment": value} if isinstance(value, str) else value

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [{"type": "string"}, handler(core)]}


class Synthesis(Strict):
    """Experiments of one idea, whose effects are combined metric by metric."""

    id: Slug
    name: Text
    owner: Text
    description: Text | None = None
    metrics: Annotated[Items[Name], Field(min_length=1)]
    """Metrics that every one of the experiments uses."""
    experiments: Annotated[Items[Study], Field(min_length=2)]
    """Each once: arms of one experiment share their control, so that their effects are no separate evidence."""


def synthesis_findings(
    synthesis: Synthesis,
    stem: str,
    experiments: Mapping[str, Experiment],
    metrics: Mapping[str, MetricDefinition],
) -> Iterator[Finding]:
    """What is wrong with a well-shaped synthesis.

    Args:
        synthesis: The definition.
        stem: Name of its file.
        experiments: Sound experiments.
        metrics: Sound metrics.
    """
    yield from identity_findings(synthesis.id, stem)
    seen: set[str] = set()
    known: list[Experiment] = []
    for position, study in enumerate(synthesis.experiments):
        where = ("experiments", position)
        if study.experiment in seen:
            rule = "each once: its arms share their control"
            yield Finding(where, "an experiment stands twice", study.experiment, rule)
            continue
        seen.add(study.experiment)
        experiment = experiments.get(study.experiment)
        if experiment is None:
            hint = did_you_mean(study.experiment, experiments) or "a refused definition cannot be combined"
            yield Finding(where, "unknown experiment", study.experiment, "a sound file of experiments/", hint)
            continue
        known.append(experiment)
        treatments = [one.id for one in experiment.variants if not one.control]
        if study.variant is None and len(treatments) > 1:
            rule = f"{{experiment: {study.experiment}, variant: one of {', '.join(treatments)}}}"
            yield Finding(where, "several arms could be meant", study.experiment, rule)
        elif study.variant is not None and study.variant not in treatments:
            rule = f"one of: {', '.join(treatments)}"
            yield Finding((*where, "variant"), "no such treatment", study.variant, rule)
    for position, name in enumerate(synthesis.metrics):
        yield from _metric_findings(synthesis, position, name, known, metrics)


def _metric_findings(
    synthesis: Synthesis,
    position: int,
    name: str,
    known: list[Experiment],
    metrics: Mapping[str, MetricDefinition],
) -> Iterator[Finding]:
    where = ("metrics", position)
    if name in synthesis.metrics[:position]:
        yield Finding(where, "a metric stands twice", name, "once only", "take one of them away")
        return
    metric = metrics.get(name)
    if metric is None:
        yield Finding(
            where, "unknown metric", name, "a metric of the dbt semantic layer", did_you_mean(name, metrics)
        )
        return
    if metric.without_difference:
        what, rule = (
            "a test of ranks has no difference to combine",
            "a metric of means, rates, ratios or quantiles",
        )
        yield Finding(where, what, f"{name} (test: {metric.test})", rule)
    without = [one.id for one in known if name not in {use.metric for _, use in one.metric_uses}]
    if without:
        yield Finding(
            where,
            "not every experiment uses the metric",
            f"{name}: not {', '.join(without)}",
            "a metric of all",
            "add it to them, or take it away here",
        )


def treatment_of(study: Study, experiment: Experiment) -> str:
    """The arm that is compared with the control."""
    return study.variant or next(one.id for one in experiment.variants if not one.control)
