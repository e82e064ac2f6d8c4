"""The block `search` of an experiment: which parameters of the variants' config are varied, and how."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, Field, model_validator

from fairsplit.analysis.catalogue.conditions import Scalar
from fairsplit.analysis.catalogue.fields import Items, Name, Slug, Strict, fault
from fairsplit.analysis.catalogue.findings import Finding, did_you_mean, shown
from fairsplit.analysis.catalogue.part_checks import refused_part
from fairsplit.analysis.catalogue.sizes import Size
from fairsplit.analysis.parts.installed import is_custom
from fairsplit.analysis.search.space import Axis, Space

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fairsplit.analysis.catalogue.experiment import Experiment
    from fairsplit.analysis.catalogue.metrics import MetricDefinition
    from fairsplit.analysis.catalogue.yaml_source import KeyPath

METHODS = ("bayesian", "genetic")


def _known_method(value: str) -> str:
    if value not in METHODS and not is_custom(value):
        rule = f"one of: {', '.join(METHODS)}, or a custom part such as acme.annealing"
        raise fault("is not one of the choices", rule, did_you_mean(value, METHODS))
    return value


class Parameter(Strict):
    """One key of the variants' config: a range, or choices without an order."""

    from_: Annotated[int | float | None, Field(alias="from")] = None
    """Least value, included. Whole numbers at both ends (and as the step) mean whole numbers."""
    to: int | float | None = None
    """Largest value, included."""
    step: Annotated[int | float | None, Field(gt=0)] = None
    """Distance of neighbouring values from the least one on; none for any number."""
    log: bool = False
    """True: equal ratios are equal distances."""
    choices: Annotated[Items[Scalar], Field(max_length=50)] = ()

    @model_validator(mode="after")
    def _one_form(self) -> Parameter:
        if bool(self.choices) == (self.from_ is not None) or (self.from_ is None) != (self.to is None):
            raise fault("is neither a range nor choices", "{from: 10, to: 24}, or {choices: [red, blue]}")
        if self.choices and (self.step is not None or self.log):
            raise fault("choices have no order, so no step and no log", "{choices: [red, blue]}")
        if self.choices and (len(self.choices) < 2 or len(set(map(repr, self.choices))) < len(self.choices)):
            raise fault("has too few choices, or one twice", "two choices or more, each once")
        if self.from_ is not None and self.to is not None:
            if self.from_ >= self.to:
                raise fault("the range is empty", "from < to")
            if self.log and self.from_ <= 0:
                raise fault("a logarithm needs values above 0", "from > 0")
            if self.step is not None and self.step > self.to - self.from_:
                raise fault("the step leaves the range", "step ≤ to - from")
        return self

    def axis(self, name: str) -> Axis:
        """The parameter as one axis of the space."""
        if self.choices:
            return Axis(name, choices=tuple(self.choices))
        given = [number for number in (self.from_, self.to, self.step) if number is not None]
        whole = all(isinstance(number, int) for number in given)
        step = self.step if self.step is not None else 1 if whole else None
        return Axis(name, (), float(given[0]), float(given[1]), step, whole, self.log)


class StopWhen(Strict):
    """When a search is over."""

    improvement: Size | None = None
    """The largest expected improvement is below this: a share of the control, or `{absolute: 0.5}`."""
    batches: Annotated[int | None, Field(ge=1, le=1_000)] = None
    """So many batches were tried."""


class Search(Strict):
    """A search for the best values of some parameters: an experiment is a batch, its arms are points."""

    parameters: Annotated[dict[Name, Parameter], Field(min_length=1, max_length=20)]
    """By the key of the config that each of them is."""
    method: Annotated[str, AfterValidator(_known_method)] = "bayesian"
    """`bayesian` (a Gaussian process), `genetic` (for many parameters), or a custom part."""
    batch: Annotated[int, Field(ge=1, le=20)] = 3
    """Arms of the next experiment beside the control."""
    follows: Slug | None = None
    """The experiment that was the batch before this one."""
    stop_when: StopWhen = StopWhen()

    @property
    def space(self) -> Space:
        """The parameters as axes."""
        return Space(tuple(parameter.axis(name) for name, parameter in self.parameters.items()))


def search_findings(experiment: Experiment, metrics: Mapping[str, MetricDefinition]) -> Iterator[Finding]:
    """What a search and the rest of its experiment's file say against one another."""
    search = experiment.search
    if search is None:
        return
    if experiment.type not in {"ab", "abn"} or experiment.holdout is not None:
        yield Finding(
            ("search",), "only arms that are compared can be searched", experiment.type, "type: ab or abn"
        )
    if experiment.config_schema is None:
        rule = "config_schema: a JSON Schema, or the name of one that is shipped"
        yield Finding(
            ("search",), "the experiment has no config_schema, by which proposals are checked", rule=rule
        )
    if is_custom(search.method) and (refusal := refused_part("search", search.method)):
        yield Finding(("search", "method"), refusal[0], rule="a part that is installed", hint=refusal[1])
    for position, variant in enumerate(experiment.variants):
        yield from _point_findings(("variants", position, "config"), variant.config, search)
    metric = metrics.get(experiment.metrics.primary[0].metric)
    if metric is not None and metric.without_difference:
        rule = "a first primary metric of means, rates, ratios or quantiles"
        yield Finding(
            ("metrics", "primary"), "a search needs a difference in the metric's unit", metric.name, rule
        )


def _point_findings(where: KeyPath, config: Mapping[str, Any], search: Search) -> Iterator[Finding]:
    for axis in search.space.axes:
        rule = (
            f"one of: {', '.join(map(str, axis.choices))}"
            if axis.choices
            else f"from {axis.low:g} to {axis.high:g}"
        )
        if axis.name not in config:
            yield Finding(where, f"has no value of the parameter '{axis.name}'", rule=f"{axis.name}: {rule}")
        elif not axis.holds(config[axis.name]):
            yield Finding((*where, axis.name), "lies outside the search", shown(str(config[axis.name])), rule)


def chain_findings(experiment: Experiment, others: Mapping[str, Experiment]) -> Iterator[Finding]:
    """What is wrong with the batches that a search follows."""
    search = experiment.search
    if search is None or search.follows is None:
        return
    where: KeyPath = ("search", "follows")
    seen = {experiment.id}
    before: str | None = search.follows
    while before is not None:
        if before in seen:
            yield Finding(where, "batches follow one another in a circle", search.follows, "no circle")
            return
        seen.add(before)
        other = others.get(before)
        if other is None:
            yield Finding(
                where, "unknown experiment", before, "a file of experiments/", did_you_mean(before, others)
            )
            return
        if other.search is None or other.search.parameters != search.parameters:
            rule = "a batch of the same search: the same parameters"
            yield Finding(where, "searches something else", before, rule)
            return
        if other.metrics.primary[0].metric != experiment.metrics.primary[0].metric:
            yield Finding(where, "has another first primary metric", other.metrics.primary[0].metric,
                          experiment.metrics.primary[0].metric)  # fmt: skip
            return
        before = other.search.follows
