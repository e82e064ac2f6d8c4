"""From units to the frames that judgement takes: sufficient statistics, histograms, exposures per arm."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import polars as pl

from fairsplit.analysis.flat_files.covariates import joint_moments
from fairsplit.analysis.flat_files.places import Scales, levels_of
from fairsplit.analysis.flat_files.units import value_column
from fairsplit.analysis.judgement.pairing import JOINT, SUMS, THIRD

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from fairsplit.analysis.flat_files.places import Place
    from fairsplit.analysis.flat_files.request import MetricColumn
    from fairsplit.analysis.flat_files.roles import Roles

_ARM = ("experiment_id", "variant_id")
_KEY = (*_ARM, "segment_level")
#: Means of summaries keep this many digits behind the point, fewer where they are large.
_SUMMARY_DIGITS = 9
_SUMMARY_LARGEST = 10**13


def statistics_frame(
    places: Sequence[Place], scales: Scales, roles: Roles, arms: pl.DataFrame, cut_off: date
) -> pl.DataFrame:
    """Exact sums, in the columns of `fct_sufficient_statistics`.

    With several covariates, or covariates of a quotient, ``joint_mean`` and ``joint_m2`` hold the joint moments
    of the outcome and all of them.

    Args:
        places: From `places_of`.
        scales: Beside them.
        roles: Every column's part.
        arms: Declared arms (experiment_id, variant_id): each has a row for every level, even without units.
        cut_off: The day the sums stand for.
    """
    parts = []
    for place in places:
        for number, metric in enumerate(roles.metrics):
            found, sums = _sums(place.frame, number)
            found = found.join(_third(place.frame, number, scales.y[number]), on=list(_KEY), how="left")
            whole = _complete(found, arms, sums)
            if metric.caps is not None:
                ends = [pl.col(f"{end}{number}").first().alias(f"cap_{end}") for end in ("low", "high")]
                whole = whole.join(place.frame.group_by("experiment_id").agg(ends), on="experiment_id")
            parts.append(
                whole.with_columns(
                    metric=pl.lit(metric.name),
                    segment=pl.lit(place.segment),
                    covariate_status=pl.lit("ok" if "sum_x" in sums else None, pl.String),
                    scale_y=pl.lit(scales.y[number], pl.Int64),
                    scale_d=pl.lit(scales.d[number] if "sum_d" in sums else None, pl.Int64),
                )
            )
    return _conformed(parts, cut_off)


def _conformed(parts: Sequence[pl.DataFrame], cut_off: date) -> pl.DataFrame:
    """All parts in one frame, with every column that judgement reads."""
    schema: dict[str, Any] = {
        **dict.fromkeys((*_ARM, "metric", "segment", "segment_level", "covariate_status"), pl.String),
        **dict.fromkeys(("n", "scale_y", "scale_d", "cap_low", "cap_high"), pl.Int64),
        **dict.fromkeys(SUMS, pl.Int128),
        **dict.fromkeys(JOINT, pl.List(pl.Float64)),
        THIRD: pl.Float64,
    }
    rows = pl.concat([pl.DataFrame(schema=schema), *parts], how="diagonal")
    return rows.with_columns(
        cut_off=pl.lit(cut_off),
        analysis=pl.lit("default"),
        n_open=pl.lit(0, pl.Int64),
    )


def _sums(frame: pl.DataFrame, number: int) -> tuple[pl.DataFrame, list[str]]:
    """Sums of one metric per arm and level."""
    wide = {
        letter: pl.col(f"{letter}{number}").cast(pl.Int128)
        for letter in "ydx"
        if f"{letter}{number}" in frame.columns
    }
    names = [name for name in SUMS if set(name.removeprefix("sum_")) <= set(wide)]
    found = frame.group_by(_KEY).agg(
        n=pl.len().cast(pl.Int64), **{name: _product(wide, name).sum() for name in names}
    )
    if f"line{number}" in frame.columns:
        covariates = [name for name in frame.columns if name.startswith("line:x:")]
        joint = joint_moments(frame, _KEY, [f"line{number}", *covariates])
        found = found.join(joint, on=list(_KEY), how="left")
    return found, names


def _third(frame: pl.DataFrame, number: int, scale: int) -> pl.DataFrame:
    """Third central moments of values of both signs, whose skewness no mean and variance bound."""
    y = pl.col(f"y{number}").cast(pl.Float64) / scale
    mixed = (y.min() < 0) & (y.max() > 0)
    return frame.group_by(_KEY, maintain_order=True).agg(
        pl.when(mixed).then(((y - y.mean()) ** 3).sum()).alias(THIRD)
    )


def _product(wide: dict[str, pl.Expr], name: str) -> pl.Expr:
    letters = name.removeprefix("sum_")
    return wide[letters] if len(letters) == 1 else wide[letters[0]] * wide[letters[1]]


def _complete(found: pl.DataFrame, arms: pl.DataFrame, sums: Sequence[str]) -> pl.DataFrame:
    """A row for every declared arm of every level that has units."""
    levels = found.select("experiment_id", "segment_level").unique()
    grid = levels.join(arms.select(_ARM), on="experiment_id")
    zero = pl.lit(0, pl.Int128)
    return grid.join(found, on=list(_KEY), how="left").with_columns(
        pl.col("n").fill_null(0), *(pl.col(name).fill_null(zero) for name in sums)
    )


def summary_scales(rows: pl.DataFrame, roles: Roles) -> Scales:
    """What the whole numbers of counts per arm are divided by."""
    scales = [
        1 if metric.spread is None else _summary_scale(rows[value_column(metric.column)])
        for metric in roles.metrics
    ]
    return Scales(tuple(scales), (1,) * len(scales))


def _summary_scale(means: pl.Series) -> int:
    largest = float(means.cast(pl.Float64).abs().max() or 0.0)  # type: ignore[arg-type]
    digits = _SUMMARY_DIGITS
    while digits > 0 and largest * 10**digits > _SUMMARY_LARGEST:
        digits -= 1
    return int(10**digits)


def summary_frame(
    rows: pl.DataFrame, scales: Scales, roles: Roles, arms: pl.DataFrame, cut_off: date
) -> pl.DataFrame:
    """As `statistics_frame`, from counts per arm: successes, or mean and standard deviation, among units.

    Args:
        rows: From `unit_rows`, one or several per arm and level.
        scales: From `summary_scales`.
        roles: Every column's part.
        arms: Declared arms.
        cut_off: The day the sums stand for.
    """
    parts = []
    for segment, level in levels_of(roles).items():
        frame = rows.with_columns(segment_level=level)
        for metric, scale in zip(roles.metrics, scales.y, strict=True):
            numbers = [frame[value_column(name)].to_list() for name in metric.columns]
            sums = [_summary(metric, cells, scale) for cells in zip(*numbers, strict=True)]
            table = frame.select(_KEY).with_columns(
                n=frame[value_column(str(metric.denominator))].cast(pl.Int64),
                sum_y=pl.Series([total for total, _ in sums], dtype=pl.Int128),
                sum_yy=pl.Series([squares for _, squares in sums], dtype=pl.Int128),
            )
            found = table.group_by(_KEY).agg(pl.col("n", "sum_y", "sum_yy").sum())
            parts.append(
                _complete(found, arms, ["sum_y", "sum_yy"]).with_columns(
                    metric=pl.lit(metric.name), segment=pl.lit(segment), scale_y=pl.lit(scale, pl.Int64)
                )
            )
    return _conformed(parts, cut_off)


def _summary(metric: MetricColumn, cells: Sequence[float], scale: int) -> tuple[int, int]:
    """Sum and sum of squares, scaled; the squares of zeros and ones are themselves."""
    if metric.spread is None:
        return int(cells[0]), int(cells[0])
    mean, spread, units = (Fraction(cell) for cell in cells)
    total = round(units * mean * scale)
    squares = (max(units - 1, Fraction(0)) * spread**2 * scale**2) + (
        Fraction(total) ** 2 / units if units else 0
    )
    return total, -int(-squares // 1)


def histogram_frame(places: Sequence[Place], roles: Roles, cut_off: date) -> pl.DataFrame | None:
    """Units by value for rank and percentile metrics, in the columns of `fct_value_histograms`."""
    parts = [
        place.frame.group_by(*_KEY, pl.col(f"y{number}").alias("value"))
        .agg(units=pl.len().cast(pl.Int64))
        .with_columns(metric=pl.lit(metric.name), segment=pl.lit(place.segment), cut_off=pl.lit(cut_off))
        for number, metric in enumerate(roles.metrics)
        if metric.is_by_values
        for place in places
    ]
    return pl.concat(parts) if parts else None


def exposure_frame(rows: pl.DataFrame, roles: Roles, arms: pl.DataFrame, cut_off: date) -> pl.DataFrame:
    """Units per arm and level, in the columns of `fct_daily_exposures`: all on the one day.

    Args:
        rows: From `unit_rows`.
        roles: Every column's part; clusters count as units, since the arms were drawn by them.
        arms: Declared arms.
        cut_off: The day.
    """
    counted = pl.len()
    if roles.units is not None:
        counted = pl.col(value_column(roles.units)).sum()
    elif roles.cluster is not None:
        counted = pl.col("cluster").n_unique()
    parts = []
    for segment, level in levels_of(roles).items():
        found = (
            rows.with_columns(segment_level=level)
            .group_by(_KEY)
            .agg(units=counted.cast(pl.Int64), crossovers=pl.col("crossed").sum().cast(pl.Int64))
        )
        whole = _complete(found.with_columns(n=0), arms, []).drop("n")
        parts.append(whole.with_columns(pl.col("units", "crossovers").fill_null(0), segment=pl.lit(segment)))
    return pl.concat(parts).with_columns(exposure_day=pl.lit(cut_off), phase=pl.lit(0, pl.Int64))
