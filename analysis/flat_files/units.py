"""From the file's rows to one row per unit: experiment, arm, segment levels, exact values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from analysis.catalogue.findings import shown
from analysis.errors import Problem
from analysis.flat_files.covariates import combined_covariate
from analysis.flat_files.guessing import MAX_LEVELS
from analysis.flat_files.request import FlatFileError
from analysis.flat_files.values import as_numbers, require_shares, scale_of, scaled

if TYPE_CHECKING:
    from collections.abc import Mapping

    from analysis.flat_files.guessing import Roles
    from analysis.flat_files.request import MetricColumn

UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class UnitTable:
    """Units with exact values.

    Attributes:
        frame: One row per unit: ``experiment_id``, ``variant_id``, ``crossed`` (seen in a second arm), a column
            ``segment:<name>`` per segment, and whole numbers ``y<i>``, ``d<i>`` and ``x<i>`` per metric i. Where
            rows are counts per arm one row per arm, with counts in ``y<i>`` and units in ``d<i>``.
        scale_y: What ``y<i>`` and ``x<i>`` are divided by, per metric.
        scale_d: What ``d<i>`` is divided by, per metric.
    """

    frame: pl.DataFrame
    scale_y: tuple[int, ...]
    scale_d: tuple[int, ...]


def unit_table(frame: pl.DataFrame, roles: Roles, name: str) -> UnitTable:
    """Read the columns that have a part.

    Args:
        frame: The file, not empty.
        roles: Every column's part.
        name: The experiment's name where no column holds it.

    Raises:
        FlatFileError: Cells that do not fit their column's part.
    """
    places = _places(frame, roles, name)
    inputs = {
        column: as_numbers(frame, column, "--metric") for metric in roles.metrics for column in metric.columns
    }
    inputs |= {column: as_numbers(frame, column, "--covariate") for column in roles.covariates}
    if roles.by == "unit" and roles.unit is not None:
        _require_unique(frame, roles)
    for metric in roles.metrics:
        if metric.is_share and roles.by != "arm":
            require_shares(inputs[metric.column], metric.column)
    if roles.by == "event":
        places, inputs = _by_unit(frame, places, inputs, roles)
    if roles.by == "arm":
        _require_counts(inputs, roles)
    return _scaled(places, inputs, roles)


def _places(frame: pl.DataFrame, roles: Roles, name: str) -> pl.DataFrame:
    for option, column in (
        ("--variant", roles.variant),
        ("--experiment", roles.experiment),
        ("--unit", roles.unit),
    ):
        if column is not None and (missing := frame[column].null_count()):
            row = int(frame[column].is_null().arg_true()[0]) + 1
            rule = "a value in every row"
            raise FlatFileError(
                Problem("empty values", f"{option} {shown(column)}", f"{missing:,}, first in row {row}", rule)
            )
    for column in roles.segments:
        levels = frame[column].n_unique()
        if levels > MAX_LEVELS:
            rule = f"at most {MAX_LEVELS}"
            raise FlatFileError(
                Problem("a segment has too many levels", f"--segment {shown(column)}", f"{levels:,}", rule)
            )
    experiment = pl.lit(name) if roles.experiment is None else pl.col(roles.experiment).cast(pl.String)
    return frame.select(
        experiment_id=experiment,
        variant_id=pl.col(roles.variant).cast(pl.String),
        crossed=pl.lit(value=False),
        **{
            f"segment:{column}": pl.col(column).cast(pl.String).fill_null(UNKNOWN)
            for column in roles.segments
        },
    )


def _require_unique(frame: pl.DataFrame, roles: Roles) -> None:
    key = [column for column in (roles.experiment, roles.unit) if column is not None]
    twice = frame.select(key).is_duplicated()
    if twice.any():
        example = shown(str(frame[str(roles.unit)].filter(twice)[0]))
        hint = "--by event adds a unit's rows up"
        rows = f"{int(twice.sum()):,} rows share their unit with another"
        raise FlatFileError(
            Problem(
                rows, f"--unit {shown(str(roles.unit))}", f"for example {example}", "one row a unit", hint
            )
        )


def _by_unit(
    frame: pl.DataFrame, places: pl.DataFrame, inputs: Mapping[str, pl.Series], roles: Roles
) -> tuple[pl.DataFrame, dict[str, pl.Series]]:
    """A unit's first row gives arm, segments and covariates; amounts add up, and a conversion is any 1."""
    shares = {metric.column for metric in roles.metrics if metric.is_share}
    amounts = [
        pl.col(f"v:{name}").max() if name in shares else pl.col(f"v:{name}").sum()
        for name in inputs
        if name not in roles.covariates
    ]
    firsts = [pl.col(f"v:{name}").first() for name in roles.covariates]
    keep = [pl.col(column).first() for column in places.columns if column not in {"experiment_id", "crossed"}]
    rows = places.with_columns(
        unit=frame[str(roles.unit)], **{f"v:{name}": values for name, values in inputs.items()}
    )
    units = rows.group_by("experiment_id", "unit", maintain_order=True).agg(
        *keep, *amounts, *firsts, crossed=pl.col("variant_id").n_unique() > 1
    )
    return units.select(places.columns), {name: units[f"v:{name}"] for name in inputs}


def _require_counts(inputs: Mapping[str, pl.Series], roles: Roles) -> None:
    if roles.covariates:
        raise FlatFileError(
            Problem("counts per arm leave no covariates", "--covariate", rule="a row per unit")
        )
    for metric in roles.metrics:
        successes, units = inputs[metric.column], inputs[str(metric.denominator)]
        bad = (
            (successes < 0)
            | (successes > units)
            | (successes.cast(pl.Int64) != successes)
            | (units.cast(pl.Int64) != units)
        )
        if bad.any():
            row = int(bad.arg_true()[0])
            value = f"{successes[row]:g} of {units[row]:g} in row {row + 1}"
            rule = "whole numbers, 0 ≤ successes ≤ units"
            raise FlatFileError(
                Problem("these are no counts of an arm", f"--metric {shown(metric.name)}", value, rule)
            )


def _scaled(places: pl.DataFrame, inputs: Mapping[str, pl.Series], roles: Roles) -> UnitTable:
    values: dict[str, pl.Series] = {}
    scales_y, scales_d = [], []
    for number, metric in enumerate(roles.metrics):
        y = inputs[metric.column]
        x = _covariate(places, y, inputs, roles, metric)
        scale_y = scale_of(y) if x is None else scale_of(y, x)
        scales_y.append(scale_y)
        values[f"y{number}"] = scaled(y, scale_y)
        if x is not None:
            values[f"x{number}"] = scaled(x, scale_y)
        scale_d = 1
        if metric.denominator is not None:
            d = inputs[metric.denominator]
            scale_d = scale_of(d)
            values[f"d{number}"] = scaled(d, scale_d)
        scales_d.append(scale_d)
    return UnitTable(places.with_columns(**values), tuple(scales_y), tuple(scales_d))


def _covariate(
    places: pl.DataFrame, y: pl.Series, inputs: Mapping[str, pl.Series], roles: Roles, metric: MetricColumn
) -> pl.Series | None:
    if not roles.covariates or metric.type not in {"proportion", "z", "mean"}:
        return None
    if len(roles.covariates) == 1:
        return inputs[roles.covariates[0]]
    return combined_covariate(places, y, [inputs[name] for name in roles.covariates])
