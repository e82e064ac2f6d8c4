"""Covariates of a file: gaps as an indicator, several of them as joint moments, one number that stands for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from fairsplit.analysis.catalogue.findings import shown
from fairsplit.analysis.errors import Problem
from fairsplit.analysis.flat_files.request import FlatFileError
from fairsplit.analysis.flat_files.units import value_column
from fairsplit.analysis.statistics.moments import JointMoments

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairsplit.analysis.flat_files.roles import Roles

_ARM = ["experiment_id", "variant_id"]


def filled_covariates(rows: pl.DataFrame, roles: Roles, guesses: list[str]) -> pl.DataFrame:
    """The covariates as ``x:<number>``; where one has gaps they are 0, and a further one says where they were.

    With the indicator among the covariates the number that stands for a gap does not matter, and no unit is
    dropped (see `statistics.covariates.with_missing`).

    Args:
        rows: From `unit_rows`.
        roles: Every column's part.
        guesses: Gets what was filled.

    Raises:
        FlatFileError: A covariate without a single value.
    """
    columns: list[pl.Series] = []
    for name in roles.covariates:
        values = rows[value_column(name)].cast(pl.Float64)
        gaps = values.null_count()
        if gaps == rows.height:
            raise FlatFileError(
                Problem("empty values", f"--covariate {shown(name)}", rule="a number somewhere")
            )
        columns.append(values.fill_null(0.0))
        if gaps:
            columns.append(values.is_null().cast(pl.Float64))
            guesses.append(
                f"{shown(name)} is missing for {gaps:,} units: they count as 0 with an indicator of their own as a "
                "further covariate (fill the cells to override)"
            )
    return rows.with_columns(column.alias(f"x:{number}") for number, column in enumerate(columns))


def combined_covariate(frame: pl.DataFrame, outcome: str, covariates: Sequence[str]) -> pl.Series:
    """The fitted values of the outcome's regression on the covariates, arms of each experiment demeaned.

    Args:
        frame: One row a unit, with the arm's columns.
        outcome: Column of the outcome.
        covariates: Columns of the covariates.

    Returns:
        One number per unit, which tells whether the arms differed before the exposure.
    """
    if len(covariates) == 1:
        return frame[covariates[0]]
    centred = frame.select(pl.col(name) - pl.col(name).mean().over(_ARM) for name in [outcome, *covariates])
    design = centred.select(covariates).to_numpy()
    weights, *_ = np.linalg.lstsq(design, centred[outcome].to_numpy(), rcond=None)
    return pl.Series(frame.select(covariates).to_numpy() @ weights)


def joint_moments(frame: pl.DataFrame, by: Sequence[str], columns: Sequence[str]) -> pl.DataFrame:
    """Means and centred cross-products of the outcome and its covariates per group.

    Args:
        frame: One row a unit.
        by: Columns of the group.
        columns: The outcome, then the covariates.

    Returns:
        One row per group: its columns, ``joint_mean`` and ``joint_m2`` (row by row) as lists.
    """
    ordered = frame.select(*by, *columns).sort(by, maintain_order=True)
    sizes = ordered.group_by(by, maintain_order=True).len()
    values = ordered.select(columns).to_numpy()
    parts = np.split(values, np.cumsum(sizes["len"].to_numpy())[:-1])
    moments = [JointMoments.from_values(part) for part in parts]
    return sizes.drop("len").with_columns(
        joint_mean=pl.Series([found.mean.tolist() for found in moments], dtype=pl.List(pl.Float64)),
        joint_m2=pl.Series([found.m2.ravel().tolist() for found in moments], dtype=pl.List(pl.Float64)),
    )
