"""The units of the whole and of each segment, with whole numbers for exact sums."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from fairsplit.analysis.catalogue.findings import shown
from fairsplit.analysis.flat_files.covariates import combined_covariate, filled_covariates
from fairsplit.analysis.flat_files.units import segment_column, value_column
from fairsplit.analysis.flat_files.values import require_digits, scale_of, scaled

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fairsplit.analysis.flat_files.request import MetricColumn
    from fairsplit.analysis.flat_files.roles import Roles

WHOLE = "all"
_ARM = ["experiment_id", "variant_id"]
_ADJUSTED = ("proportion", "z", "mean", "ratio")


@dataclass(frozen=True, slots=True)
class Place:
    """Units of the whole file or of a segment.

    Attributes:
        segment: Its name in the results; ``all`` is the whole.
        frame: One row per unit, or per cluster and level: ``experiment_id``, ``variant_id``, ``segment_level``,
            ``crossed``, and per metric i whole numbers ``y<i>``, with a denominator ``d<i>``, with covariates ``x<i>``,
            with caps their ends ``low<i>`` and ``high<i>``. Where several covariates or a ratio take part,
            ``line<i>`` is the outcome per unit and ``line:x:<j>`` are the covariates of the regression.
    """

    segment: str
    frame: pl.DataFrame


@dataclass(frozen=True, slots=True)
class Scales:
    """What the whole numbers of each metric are divided by."""

    y: tuple[int, ...]
    d: tuple[int, ...]


def segment_name(column: str, roles: Roles) -> str:
    """What the results call the segment of a column: ``all`` is taken by the whole."""
    name = column
    while name == WHOLE or (name != column and name in roles.segments):
        name = f"{name} (column)"
    return name


def levels_of(roles: Roles) -> dict[str, pl.Expr]:
    """Segments by their name in the results, the whole first, each with what gives a unit its level."""
    segments = {segment_name(name, roles): pl.col(segment_column(name)) for name in roles.segments}
    return {WHOLE: pl.lit(WHOLE), **segments}


def is_adjusted(metric: MetricColumn, roles: Roles) -> bool:
    """Whether covariates take part in a metric."""
    return bool(roles.covariates) and metric.type in _ADJUSTED


def is_ratio(metric: MetricColumn, roles: Roles) -> bool:
    """Whether a metric is a quotient of sums: a ratio, or anything per unit where the arms were drawn by clusters."""
    return metric.type == "ratio" or roles.cluster is not None


def places_of(rows: pl.DataFrame, roles: Roles, guesses: list[str]) -> tuple[list[Place], Scales]:
    """The whole first, then each segment.

    Args:
        rows: From `unit_rows`, those that count.
        roles: Every column's part.
        guesses: Gets how gaps in covariates were filled.

    Raises:
        FlatFileError: Numbers whose differences would be lost.
    """
    rows = filled_covariates(rows, roles, guesses)
    covariates = [name for name in rows.columns if name.startswith("x:")]
    places, scales = [], None
    for segment, level in levels_of(roles).items():
        frame = rows.with_columns(segment_level=level, size=pl.lit(1.0))
        if roles.cluster is not None:
            frame = _by_cluster(frame)
        frame = _with_lines(frame, roles, covariates)
        scales = scales or _scales(frame, roles)
        places.append(Place(segment, frame.with_columns(_whole_numbers(frame, roles, scales))))
    return places, scales or Scales((), ())


def _by_cluster(rows: pl.DataFrame) -> pl.DataFrame:
    """Sums per cluster and level: numbers, covariates and the number of units."""
    summed = [name for name in rows.columns if name.startswith((value_column(""), "x:")) or name == "size"]
    sums = [pl.col(name).cast(pl.Float64).sum() for name in summed]
    key = [*_ARM, "cluster", "segment_level"]
    return rows.group_by(key, maintain_order=True).agg(*sums, pl.col("crossed").any())


def _columns(number: int, metric: MetricColumn, roles: Roles) -> tuple[str, str | None]:
    """Where a metric's numerator and denominator stand."""
    if metric.caps is not None:
        return f"capped:{number}", None
    if metric.type != "ratio" and roles.cluster is not None:
        return value_column(metric.column), "size"
    return value_column(metric.column), metric.denominator and value_column(metric.denominator)


def _with_lines(frame: pl.DataFrame, roles: Roles, covariates: Sequence[str]) -> pl.DataFrame:
    """Outcomes and covariates as the regression takes them: quotients linearised within their arm."""
    place = [*_ARM, "segment_level"]

    def per(name: str, denominator: str) -> pl.Expr:
        # Linearised as in `statistics.ratios.linearised`: the mean is the quotient of the sums.
        quotient = pl.col(name).sum().over(place) / pl.col(denominator).sum().over(place)
        return quotient + (pl.col(name) - quotient * pl.col(denominator)) / pl.col(denominator).mean().over(
            place
        )

    columns = []
    for number, metric in enumerate(roles.metrics):
        if is_adjusted(metric, roles) and (len(covariates) > 1 or is_ratio(metric, roles)):
            top, bottom = _columns(number, metric, roles)
            line = pl.col(top).cast(pl.Float64) if bottom is None else per(top, bottom)
            columns.append(line.alias(f"line{number}"))
    clustered = roles.cluster is not None
    columns += [
        (per(name, "size") if clustered else pl.col(name)).alias(f"line:{name}") for name in covariates
    ]
    return frame.with_columns(columns)


def _regressed(frame: pl.DataFrame, number: int) -> pl.Series:
    outcome = f"line{number}"
    covariates = [name for name in frame.columns if name.startswith("line:x:")]
    if outcome in frame.columns:
        return combined_covariate(frame, outcome, covariates)
    own = f"capped:x{number}"
    return frame[own if own in frame.columns else covariates[0]]


def _scales(frame: pl.DataFrame, roles: Roles) -> Scales:
    y_scales, d_scales = [], []
    for number, metric in enumerate(roles.metrics):
        top, bottom = _columns(number, metric, roles)
        both = [frame[top]]
        if is_adjusted(metric, roles):
            both.append(_regressed(frame, number))
        ends = [frame[f"{end}:{number}"].drop_nulls() for end in ("low", "high") if metric.caps is not None]
        y_scales.append(scale_of(*both, *ends))
        where = f"--metric {shown(metric.name)}"
        for values, option in zip(both, (where, f"--covariate for {shown(metric.name)}"), strict=False):
            require_digits(values, y_scales[-1], option)
        d_scales.append(1 if bottom is None else scale_of(frame[bottom]))
        if bottom is not None:
            require_digits(frame[bottom], d_scales[-1], where)
    return Scales(tuple(y_scales), tuple(d_scales))


def _whole_numbers(frame: pl.DataFrame, roles: Roles, scales: Scales) -> Iterator[pl.Series]:
    for number, metric in enumerate(roles.metrics):
        top, bottom = _columns(number, metric, roles)
        yield scaled(frame[top], scales.y[number]).alias(f"y{number}")
        for end in ("low", "high") if metric.caps is not None else ():
            ends = (frame[f"{end}:{number}"] * scales.y[number]).round().cast(pl.Int64)
            yield ends.alias(f"{end}{number}")
        if bottom is not None:
            yield scaled(frame[bottom], scales.d[number]).alias(f"d{number}")
        if is_adjusted(metric, roles):
            yield scaled(_regressed(frame, number).fill_nan(0.0), scales.y[number]).alias(f"x{number}")
