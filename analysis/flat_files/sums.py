"""From units to the frames that judgement takes: sufficient statistics, histograms, exposures per arm."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from analysis.judgement.pairing import SUMS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from analysis.flat_files.guessing import Roles
    from analysis.flat_files.units import UnitTable

_BY_VALUES = ("percentile", "mann_whitney", "ks")
_ARM = ("experiment_id", "variant_id")


def statistics_frame(units: UnitTable, roles: Roles, arms: pl.DataFrame, cut_off: date) -> pl.DataFrame:
    """Exact sums, in the columns of `fct_sufficient_statistics`.

    Args:
        units: From `unit_table`.
        roles: Every column's part.
        arms: Declared arms (experiment_id, variant_id): each has a row for every level, even without units.
        cut_off: The day the sums stand for.
    """
    parts = []
    for number, metric in enumerate(roles.metrics):
        columns = units.frame.columns
        letters = {letter: f"{letter}{number}" for letter in "ydx" if f"{letter}{number}" in columns}
        counted = pl.len().cast(pl.Int64)
        if roles.by == "arm":
            # The units of an arm are its denominator, and the squares of zeros and ones are themselves.
            successes = pl.col(letters["y"]).cast(pl.Int128).sum()
            counted = pl.col(letters["d"]).sum()
            sums = {"sum_y": successes, "sum_yy": successes}
        else:
            wide = {letter: pl.col(name).cast(pl.Int128) for letter, name in letters.items()}
            names = [name for name in SUMS if set(name.removeprefix("sum_")) <= set(wide)]
            sums = {name: _product(wide, name).sum() for name in names}
        for segment, level, frame in _places(units, roles):
            found = frame.group_by(*_ARM, level).agg(n=counted, **sums)
            parts.append(
                _complete(found.rename({level: "segment_level"}), arms, list(sums)).with_columns(
                    metric=pl.lit(metric.name),
                    segment=pl.lit(segment),
                    covariate_status=pl.lit("ok" if "x" in letters else None, pl.String),
                    scale_y=pl.lit(units.scale_y[number], pl.Int64),
                    scale_d=pl.lit(units.scale_d[number] if "sum_d" in sums else None, pl.Int64),
                )
            )
    absent = [pl.lit(None, pl.Int128).alias(name) for name in SUMS]
    rows = pl.concat(parts, how="diagonal")
    return rows.with_columns(
        *(column for column in absent if column.meta.output_name() not in rows.columns),
        cut_off=pl.lit(cut_off),
        analysis=pl.lit("default"),
        n_open=pl.lit(0, pl.Int64),
        cap_low=pl.lit(None, pl.Int64),
        cap_high=pl.lit(None, pl.Int64),
    )


def _product(wide: dict[str, pl.Expr], name: str) -> pl.Expr:
    letters = name.removeprefix("sum_")
    return wide[letters] if len(letters) == 1 else wide[letters[0]] * wide[letters[1]]


def _places(units: UnitTable, roles: Roles) -> Iterator[tuple[str, str, pl.DataFrame]]:
    """The whole, then each segment: its name, the column of its level, and the units with that column."""
    yield "all", "level", units.frame.with_columns(level=pl.lit("all"))
    for column in roles.segments:
        yield column, f"segment:{column}", units.frame


def _complete(found: pl.DataFrame, arms: pl.DataFrame, sums: list[str]) -> pl.DataFrame:
    """A row for every declared arm of every level that has units."""
    levels = found.select("experiment_id", "segment_level").unique()
    grid = levels.join(arms.select(_ARM), on="experiment_id")
    zero = pl.lit(0, pl.Int128)
    return grid.join(found, on=[*_ARM, "segment_level"], how="left").with_columns(
        pl.col("n").fill_null(0), *(pl.col(name).fill_null(zero) for name in sums)
    )


def histogram_frame(units: UnitTable, roles: Roles, cut_off: date) -> pl.DataFrame | None:
    """Units by value for rank and percentile metrics, in the columns of `fct_value_histograms`."""
    parts = [
        frame.group_by(*_ARM, pl.col(level).alias("segment_level"), pl.col(f"y{number}").alias("value"))
        .agg(units=pl.len().cast(pl.Int64))
        .with_columns(metric=pl.lit(metric.name), segment=pl.lit(segment), cut_off=pl.lit(cut_off))
        for number, metric in enumerate(roles.metrics)
        if metric.type in _BY_VALUES
        for segment, level, frame in _places(units, roles)
    ]
    return pl.concat(parts) if parts else None


def exposure_frame(units: UnitTable, roles: Roles, arms: pl.DataFrame, cut_off: date) -> pl.DataFrame:
    """Units per arm and level, in the columns of `fct_daily_exposures`: all on the one day."""
    counted = pl.col("d0").sum() if roles.by == "arm" else pl.len().cast(pl.Int64)
    parts = []
    for segment, level, frame in _places(units, roles):
        found = frame.group_by(*_ARM, level).agg(
            units=counted, crossovers=pl.col("crossed").sum().cast(pl.Int64)
        )
        found = found.rename({level: "segment_level"})
        levels = (
            found.select("experiment_id", "segment_level")
            .unique()
            .join(arms.select(_ARM), on="experiment_id")
        )
        whole = levels.join(found, on=[*_ARM, "segment_level"], how="left")
        parts.append(whole.with_columns(pl.col("units", "crossovers").fill_null(0), segment=pl.lit(segment)))
    return pl.concat(parts).with_columns(exposure_day=pl.lit(cut_off), phase=pl.lit(0, pl.Int64))
