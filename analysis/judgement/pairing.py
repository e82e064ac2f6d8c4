"""Sufficient statistics of each treatment beside those of its control."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from analysis.statistics.moments import JointMoments

if TYPE_CHECKING:
    from datetime import date

    from analysis.statistics.checks import BoolArray

_LETTERS = "ydxw"
SUMS = tuple(f"sum_{a}" for a in _LETTERS) + tuple(
    f"sum_{a}{b}" for i, a in enumerate(_LETTERS) for b in _LETTERS[i:]
)
#: Joint moments of outcome and covariates as lists, in place of sums: the mean, and the cross-products row by row.
JOINT = ("joint_mean", "joint_m2")
GROUP = ("experiment_id", "cut_off", "metric", "segment", "segment_level", "analysis")

_CONTROL = "_control"


def defined_rows(
    statistics: pl.DataFrame,
    cut_off: date,
    experiments: pl.DataFrame,
    variants: pl.DataFrame,
    uses: pl.DataFrame,
) -> pl.DataFrame:
    """The statistics rows that a definition asks for, up to a cut-off, with the definition beside them.

    Args:
        statistics: `fct_sufficient_statistics`; sums are whole numbers of any width (Decimal or Int128).
        cut_off: Last day that counts.
        experiments: From `experiment_frame`.
        variants: From `variant_frame`.
        uses: From `use_frame`.

    Returns:
        One row per row kept, sorted; `is_ratio` tells whether the denominators count, `covered` whether the
        covariate does.
    """
    sums = [pl.col(name).cast(pl.Int128) for name in SUMS]
    rows = (
        statistics.filter(pl.col("cut_off") <= cut_off)
        .with_columns(sums)
        .join(uses, on=["experiment_id", "metric"], how="inner")
        .join(experiments, on="experiment_id", how="inner")
        .join(variants, on=["experiment_id", "variant_id"], how="inner")
        .sort(*GROUP, "position")
    )
    return rows.with_columns(
        # A guardrail is asked both whether it is harmed and whether it is not.
        alternative=pl.when(pl.col("role") == "guardrail").then(pl.lit("two-sided")).otherwise("alternative"),
        is_ratio=pl.col("sum_d").is_not_null(),
        covered=(pl.col("covariate_status") == "ok").fill_null(value=False) & pl.col("sum_x").is_not_null(),
        scale_d=pl.col("scale_d").fill_null(1),
        has_units=pl.col("n") > 0,
    )


def paired(rows: pl.DataFrame) -> pl.DataFrame:
    """Each treatment row with its control's counts and sums under the suffix ``_control``."""
    wanted = ["n", "n_open", "scale_y", "scale_d", "covered", *SUMS]
    wanted += [name for name in JOINT if name in rows.columns]
    control = rows.filter(pl.col("variant_id") == pl.col("control_id")).select(
        *GROUP, *(pl.col(name).alias(f"{name}{_CONTROL}") for name in wanted)
    )
    treatment = rows.filter(pl.col("variant_id") != pl.col("control_id"))
    return treatment.join(control, on=list(GROUP), how="inner", maintain_order="left")


def moments(rows: pl.DataFrame, letters: str, suffix: str = "") -> JointMoments:
    """Exact centred moments of the variables named by letters (y, d, x, w).

    Args:
        rows: From `defined_rows` or `paired`.
        letters: In the order wanted, a part of ``ydxw``.
        suffix: ``_control`` for the control's side of a pair.

    Returns:
        Moments of shape (rows, letters).
    """
    frame = rows.select(
        pl.col(f"n{suffix}").alias("n"),
        *(pl.col(f"{name}{suffix}").fill_null(0).alias(name) for name in SUMS),
        pl.col(f"scale_y{suffix}").alias("scale_y"),
        pl.col(f"scale_d{suffix}").alias("scale_d"),
    )
    scales = {"y": "scale_y", "x": "scale_y", "d": "scale_d", "w": "scale_d"}
    return JointMoments.from_frame(frame, letters, scales={letter: scales[letter] for letter in letters})


def has_joint_moments(pairs: pl.DataFrame) -> BoolArray:
    """Pairs whose outcome and covariates come as joint moments: several covariates, or those of a quotient."""
    if not set(JOINT) <= set(pairs.columns):
        return np.zeros(pairs.height, dtype=np.bool_)
    both = pl.col(JOINT[0]).is_not_null() & pl.col(f"{JOINT[0]}{_CONTROL}").is_not_null()
    return pairs.select(both).to_series().to_numpy()


def joint_moments(pairs: pl.DataFrame, suffix: str = "") -> JointMoments:
    """Moments of the outcome and its covariates as the rows hold them, which all have the same number.

    Args:
        pairs: From `paired`, with joint moments.
        suffix: ``_control`` for the control's side of a pair.

    Returns:
        Moments of shape (pairs, 1 + covariates).
    """
    mean, m2 = (np.array(pairs[f"{name}{suffix}"].to_list(), dtype=np.float64) for name in JOINT)
    size = mean.shape[-1]
    return JointMoments(pairs[f"n{suffix}"].cast(pl.Float64).to_numpy(), mean, m2.reshape(-1, size, size))


def successes(rows: pl.DataFrame, suffix: str = "") -> tuple[np.ndarray, np.ndarray]:
    """Units that succeeded and units, of 0/1 metrics."""
    part = rows.select(pl.col(f"sum_y{suffix}").cast(pl.Float64), pl.col(f"n{suffix}").cast(pl.Float64))
    return part.to_series(0).to_numpy(), part.to_series(1).to_numpy()
