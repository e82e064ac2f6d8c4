"""Caps on a metric's values (winsorising): quantiles of all arms together, or numbers."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING

import polars as pl

from fairsplit.analysis.catalogue.findings import did_you_mean, shown
from fairsplit.analysis.catalogue.metric_definition import Winsorize
from fairsplit.analysis.errors import Problem
from fairsplit.analysis.flat_files.request import FlatFileError
from fairsplit.analysis.flat_files.units import value_column

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairsplit.analysis.flat_files.request import By, MetricColumn, Request
    from fairsplit.analysis.flat_files.roles import Roles

_NONZERO = ":nonzero"
_QUANTILE = re.compile(r"p(\d{1,2}(?:\.\d{1,4})?|100)\Z")
_RULE = "[METRIC=][LOWER..]UPPER: quantiles such as p99 or p1..p99.5, numbers such as 0..500"
_WHY_NOT = {
    "proportion": "a share has no large values",
    "z": "a share has no large values",
    "ratio": "cap a metric of its numerator",
    "percentile": "a quantile does not feel the largest values",
    "mann_whitney": "ranks hardly feel the largest values",
    "ks": "ranks hardly feel the largest values",
}


@dataclass(frozen=True, slots=True)
class Bound:
    """One end: a quantile in [0, 1], or a value."""

    at: Decimal
    is_quantile: bool


@dataclass(frozen=True, slots=True)
class Caps:
    """What a metric's values are capped to.

    Attributes:
        lower: Below it values count as it; none leaves them.
        upper: Above it values count as it.
        over_nonzero: Whether quantiles are those of the values that are not 0; a 0 stays 0 then.
        text: As it was asked for.
    """

    lower: Bound | None
    upper: Bound | None
    over_nonzero: bool
    text: str

    @property
    def as_winsorize(self) -> Winsorize | None:
        """The same in the words of a metric's definition, which knows quantiles alone."""
        ends = [end for end in (self.lower, self.upper) if end is not None]
        if not all(end.is_quantile for end in ends):
            return None
        lower, upper = (None if end is None else float(end.at) for end in (self.lower, self.upper))
        return Winsorize(
            lower=lower or 0.0,
            upper=1.0 if upper is None else upper,
            over="nonzero" if self.over_nonzero else "all",
        )

    @property
    def of_covariate(self) -> Caps:
        """What a covariate is capped to: quantiles of its own, and no number that the metric's unit is in."""
        lower, upper = (
            end if end is not None and end.is_quantile else None for end in (self.lower, self.upper)
        )
        return replace(self, lower=lower, upper=upper)

    def limits(self, values: pl.Series) -> tuple[float | None, float | None]:
        """Both ends as values.

        Quantiles are discrete: the smallest value at or below which a share of at least q of the units lies, as
        `fct_sufficient_statistics` takes them.

        Args:
            values: Of all units of one experiment, whatever their arm.
        """
        counted = values.filter(values != 0) if self.over_nonzero else values
        ordered = counted.sort()

        def place(end: Bound | None) -> float | None:
            if end is None or (end.is_quantile and ordered.is_empty()):
                return None
            if not end.is_quantile:
                return float(end.at)
            return float(ordered[max(1, math.ceil(end.at * ordered.len())) - 1])

        return place(self.lower), place(self.upper)


def with_caps(metrics: Sequence[MetricColumn], request: Request, by: By) -> tuple[MetricColumn, ...]:
    """The metrics with the caps that were asked for.

    Args:
        metrics: With their types.
        request: Its `caps`; one without a metric's name is for all means.
        by: What a row is.

    Raises:
        FlatFileError: A cap that cannot be read, of no metric, or of one that takes none.
    """
    if request.caps and by == "arm":
        raise FlatFileError(Problem("counts per arm have no values to cap", "--cap", rule="a row per unit"))
    if request.caps and request.cluster is not None:
        rule = "without --cluster: a cluster counts by the sum of its rows"
        raise FlatFileError(Problem("values in clusters take no caps", "--cap", rule=rule))
    asked: dict[str, Caps] = {}
    for text in request.caps:
        name, caps = _parsed(text)
        for metric in _meant(name, text, metrics):
            if metric in asked:
                raise FlatFileError(Problem("two caps for one metric", "--cap", shown(text)))
            asked[metric] = caps
    return tuple(replace(metric, caps=asked.get(metric.name)) for metric in metrics)


def _meant(name: str | None, text: str, metrics: Sequence[MetricColumn]) -> list[str]:
    if name is None:
        means = [metric.name for metric in metrics if metric.type == "mean"]
        if not means:
            raise FlatFileError(
                Problem("no metric takes caps", "--cap", shown(text), "a mean", _of_types(metrics))
            )
        return means
    found = [metric for metric in metrics if name == metric.name] or [
        metric for metric in metrics if name == metric.column and metric.type == "mean"
    ]
    if not found:
        near = did_you_mean(name, [metric.name for metric in metrics])
        raise FlatFileError(Problem("no such metric", "--cap", shown(name), "the name of a --metric", near))
    if found[0].type != "mean":
        rule = "caps are for means"
        raise FlatFileError(
            Problem("this type takes no caps", "--cap", shown(text), rule, _why_not(found[0].type))
        )
    return [found[0].name]


def _of_types(metrics: Sequence[MetricColumn]) -> str:
    return "; ".join(dict.fromkeys(_why_not(metric.type) for metric in metrics))


def _why_not(type_: str) -> str:
    """Why values of a type are not capped."""
    return _WHY_NOT.get(type_, "a custom part has the values as they are")


def _parsed(text: str) -> tuple[str | None, Caps]:
    name, equals, rest = text.rpartition("=")
    over_nonzero = rest.endswith(_NONZERO)
    ends = rest.removesuffix(_NONZERO)
    below, dots, above = ends.rpartition("..")
    lower, upper = _bound(below, text) if below else None, _bound(above, text) if above else None
    if lower is None and upper is None:
        raise FlatFileError(Problem("is no cap", "--cap", shown(text), _RULE))
    given = [end for end in (lower, upper) if end is not None]
    if over_nonzero and not all(end.is_quantile for end in given):
        raise FlatFileError(
            Problem("numbers are not taken over values", "--cap", shown(text), f"quantiles with {_NONZERO}")
        )
    if lower and upper and lower.is_quantile == upper.is_quantile and lower.at >= upper.at:
        raise FlatFileError(Problem("the caps are reversed", "--cap", shown(text), "LOWER below UPPER"))
    if lower is None and not dots and upper is not None and upper.is_quantile:
        # As in a metric's definition, whose lower quantile is 0 where none is named: the smallest value.
        lower = Bound(Decimal(0), is_quantile=True)
    return (name if equals else None), Caps(lower, upper, over_nonzero, rest)


def _bound(word: str, text: str) -> Bound:
    quantile = _QUANTILE.match(word)
    if quantile:
        return Bound(Decimal(quantile[1]) / 100, is_quantile=True)
    try:
        value = float(word)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise FlatFileError(Problem("is no cap", "--cap", shown(text), _RULE))
    return Bound(Decimal(str(value)), is_quantile=False)


def with_capped(rows: pl.DataFrame, roles: Roles) -> pl.DataFrame:
    """The units with capped values beside the file's own; units seen in two arms count for the quantiles too.

    Args:
        rows: From `unit_rows`, all of them.
        roles: Every column's part.

    Returns:
        For each metric i with caps ``capped:<i>``, ``low:<i>`` and ``high:<i>``; where there is one covariate without
        gaps, ``capped:x<i>``, which quantiles cap at its own.
    """
    columns: list[pl.Series] = []
    for number, metric in enumerate(roles.metrics):
        if metric.caps is None:
            continue
        found = _capped(rows[value_column(metric.column)], rows["experiment_id"], metric.caps)
        columns += [found[name].alias(f"{name}:{number}") for name in ("capped", "low", "high")]
        before = [rows[value_column(name)] for name in roles.covariates]
        if len(before) == 1 and not before[0].null_count():
            own = _capped(before[0], rows["experiment_id"], metric.caps.of_covariate)
            columns.append(own["capped"].alias(f"capped:x{number}"))
    return rows.with_columns(columns)


def _capped(values: pl.Series, experiments: pl.Series, caps: Caps) -> pl.DataFrame:
    """Values with the caps of their experiment, null where there is none."""
    frame = pl.DataFrame({"value": values.cast(pl.Float64), "experiment": experiments})
    ends = [(name, *caps.limits(part["value"])) for (name,), part in frame.group_by("experiment")]
    limits = pl.DataFrame(
        ends, schema={"experiment": pl.String, "low": pl.Float64, "high": pl.Float64}, orient="row"
    )
    inside = pl.min_horizontal(pl.max_horizontal("value", "low"), "high")
    if caps.over_nonzero:
        inside = pl.when(pl.col("value") == 0).then(0.0).otherwise(inside)
    joined = frame.join(limits, on="experiment", how="left", maintain_order="left")
    return joined.select(inside.alias("capped"), "low", "high")
