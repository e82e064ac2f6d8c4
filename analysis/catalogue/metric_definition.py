"""What a metric is: the keys of `config.meta.fairsplit`, and the definition that everybody reads."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, StringConstraints

from fairsplit.analysis.catalogue.fields import Items, Name, Strict, Text, fault, parse_duration
from fairsplit.analysis.catalogue.findings import did_you_mean
from fairsplit.analysis.parts.installed import is_custom

Kind = Literal[
    "count",
    "proportion",
    "mean",
    "ratio",
    "revenue",
    "duration",
    "retention",
    "count_distinct",
    "percentile",
    "funnel",
    "time_to_conversion",
    "custom",
]
#: Names of custom parts; those that are shipped have no dot.
PartName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+$", max_length=128)]
TESTS: Final = (
    "welch", "student", "z", "proportion", "ratio", "chi_square", "mann_whitney", "ks", "anova", "percentile",
)  # fmt: skip


def _known_test(value: str) -> str:
    if not is_custom(value) and value not in TESTS:
        rule = f"one of: {', '.join(TESTS)}, or a custom test such as robust.trimmed_mean"
        raise fault("is not one of the choices", rule, did_you_mean(value, TESTS))
    return value


Test = Annotated[str, AfterValidator(_known_test)]
Direction = Literal["increase", "decrease"]


def _parse_window(value: Any) -> Any:
    return value if value == "open" else parse_duration(value)


Window = Annotated[
    timedelta | Literal["open"], BeforeValidator(_parse_window), PlainSerializer(str, return_type=str)
]


class Winsorize(Strict):
    """Quantiles of the pooled arms at which unit values are capped, over all of them or over those that are not 0.

    Caps over the non-zero values leave a 0 at 0: where few units have a value, a quantile of all of them is 0.
    """

    lower: Annotated[float, Field(ge=0, lt=1)] = 0.0
    upper: Annotated[float, Field(gt=0, le=1)] = 1.0
    over: Literal["all", "nonzero"] = "all"


class MetricMeta(Strict):
    """`config.meta.fairsplit` of a metric."""

    kind: Kind
    unit: Text
    direction: Direction
    window: Window
    retention_day: Annotated[int | None, Field(ge=0, le=365)] = None
    cuped: bool = False
    winsorize: Winsorize | None = None
    percentile: Annotated[float | None, Field(gt=0, lt=1)] = None
    funnel: Items[Name] = ()
    test: Test | None = None
    statistic: PartName | None = None

    @property
    def facts(self) -> dict[str, Any]:
        """As JSON; a statistic only where there is one, so that metrics from before the key keep their hash."""
        return self.model_dump(mode="json", exclude=None if self.statistic else {"statistic"})


#: Values that are stored in a unit of their own, whatever the scale of the measure: counts, and microseconds.
STORED_SCALES: Final = {
    "proportion": 1,
    "retention": 1,
    "funnel": 1,
    "count_distinct": 1,
    "time_to_conversion": 1_000_000,
}


@dataclass(frozen=True, slots=True)
class Conversion:
    """Events that must have come shortly before those that count.

    Attributes:
        base: Measure of the events before.
        within: How long a conversion may come after the last of them, included; none for any time.
        unit: The kind of unit whose events they are.
    """

    base: str
    within: timedelta | None
    unit: str


@dataclass(frozen=True, slots=True)
class MetricDefinition:
    """What judgement and the scorecards need to know of one metric.

    Attributes:
        name: The metric's name in the semantic layer.
        label: For people.
        description: One sentence.
        kind: What the unit value is.
        unit: Unit of measurement of the value, for example ``USD per user``.
        direction: Which way is better.
        window_start: Offset from the exposure instant at which the half-open window begins.
        window_end: Offset at which it ends; none for an open window.
        cuped: Whether the pre-period measure is used as a covariate.
        winsorize: Quantiles of capping, or none.
        percentile: The quantile that the metric estimates, or none.
        funnel: Measures of the steps in order; empty unless a funnel.
        test: The test that compares arms.
        numerator: Measure of the unit value.
        denominator: Measure of a ratio's denominator, or none.
        scale_y: What the numerator's stored integers are divided by.
        scale_d: The same for the denominator.
        definition_hash: SHA-256 of everything that affects the numbers.
        covariate: What the covariate is called, where it is not the metric's own measure from before the exposure.
        conversion: What must have come before the numerator's events, of a conversion metric.
    """

    name: str
    label: str
    description: str
    kind: str
    unit: str
    direction: str
    window_start: timedelta
    window_end: timedelta | None
    cuped: bool
    winsorize: Winsorize | None
    percentile: float | None
    funnel: tuple[str, ...]
    test: str
    numerator: str
    denominator: str | None
    scale_y: int
    scale_d: int
    definition_hash: str
    covariate: str | None = None
    conversion: Conversion | None = None

    @property
    def by_event(self) -> bool:
        """Whether the unit's value needs its single events; else it is a sum by day."""
        return self.conversion is not None or self.kind in {"count_distinct", "funnel", "time_to_conversion"}

    @property
    def histogram(self) -> bool:
        """Whether the distribution of the units' values is kept."""
        return (
            self.kind in {"percentile", "funnel"}
            or self.winsorize is not None
            or self.test in {"mann_whitney", "ks"}
            or self.is_custom
        )

    @property
    def is_custom(self) -> bool:
        """Whether a custom part compares its arms."""
        return is_custom(self.test)

    @property
    def without_difference(self) -> bool:
        """Whether its test is of ranks, distances or a part's own making: two-sided, of no difference of two means."""
        return self.test in {"mann_whitney", "ks"} or (self.is_custom and self.kind != "custom")

    @property
    def measures(self) -> tuple[str, ...]:
        """Every measure that it needs."""
        before = (self.conversion.base,) if self.conversion else ()
        others = (self.denominator,) if self.denominator else ()
        return tuple(dict.fromkeys((self.numerator, *others, *self.funnel, *before)))


def canonical_hash(facts: Any) -> str:
    """SHA-256 of the facts as JSON with sorted keys and no spaces."""
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
