"""Several covariates as one: their linear combination that explains the metric best within arms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Sequence


def combined_covariate(places: pl.DataFrame, y: pl.Series, covariates: Sequence[pl.Series]) -> pl.Series:
    """The fitted values of the metric's regression on the covariates, arms of each experiment demeaned.

    CUPED with this one covariate equals CUPED with all of them, since its coefficient is one by construction
    (Deng, Xu, Kohavi and Walker 2013, section 3.3; the within-arm coefficients are shared by the arms).

    Args:
        places: Columns experiment_id and variant_id, one row a unit.
        y: The metric.
        covariates: Two or more, aligned with it.

    Returns:
        One covariate per unit.
    """
    table = places.select("experiment_id", "variant_id").with_columns(
        y=y.cast(pl.Float64), **{f"x{i}": values.cast(pl.Float64) for i, values in enumerate(covariates)}
    )
    names = [f"x{i}" for i in range(len(covariates))]
    arm = ["experiment_id", "variant_id"]
    centred = table.select(pl.col(name) - pl.col(name).mean().over(arm) for name in ["y", *names])
    design = centred.select(names).to_numpy()
    weights, *_ = np.linalg.lstsq(design, centred["y"].to_numpy(), rcond=None)
    return pl.Series(table.select(names).to_numpy() @ weights)
