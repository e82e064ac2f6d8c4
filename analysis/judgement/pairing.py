"""Sufficient statistics of each treatment beside those of its control."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from fairsplit.analysis.statistics.moments import JointMoments

if TYPE_CHECKING:
    from datetime import date

    from fairsplit.analysis.statistics.checks import BoolArray, FloatArray

#: Outcome, denominator, and both before exposure.
LETTERS = "ydxw"
SUMS = tuple(f"sum_{a}" for a in LETTERS) + tuple(
    f"sum_{a}{b}" for i, a in enumerate(LETTERS) for b in LETTERS[i:]
)
#: Joint moments of outcome and covariates as lists, in place of sums: the mean, and the cross-products row by row.
JOINT = ("joint_mean", "joint_m2")
#: Third central moment of the outcome, times the units, where a file tells it.
THIRD = "third_y"
GROUP = ("experiment_id", "cut_off", "metric", "segment", "segment_level", "analysis")

CONTROL = "_control"


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


def has_sums(suffix: str = "") -> pl.Expr:
    """Rows whose sums are known: none are where they do not fit 128 bits."""
    return pl.col(f"sum_y{suffix}").is_not_null()


def paired(rows: pl.DataFrame) -> pl.DataFrame:
    """Each treatment row with its control's counts and sums under the suffix ``_control``."""
    wanted = ["n", "n_open", "scale_y", "scale_d", "covered", *SUMS]
    wanted += [name for name in (*JOINT, THIRD) if name in rows.columns]
    control = rows.filter(pl.col("variant_id") == pl.col("control_id")).select(
        *GROUP, *(pl.col(name).alias(f"{name}{CONTROL}") for name in wanted)
    )
    treatment = rows.filter(pl.col("variant_id") != pl.col("control_id"))
    return treatment.join(control, on=list(GROUP), how="inner", maintain_order="left")


def moments(rows: pl.DataFrame, letters: str, suffix: str = "") -> JointMoments:
    """Exact centred moments of the variables named by letters (y, d, x, w), over strata where the rows have them.

    Args:
        rows: From `defined_rows`, `paired` or `with_strata`.
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
    plain = JointMoments.from_frame(frame, letters, scales={letter: scales[letter] for letter in letters})
    return _over(plain, rows, letters, suffix) if "strata" in rows.columns else plain


def over(arm: JointMoments, units: FloatArray, usable: BoolArray, suffix: str) -> dict[str, FloatArray]:
    """One arm's moments over strata as columns that `moments` takes in place of the plain sums.

    Args:
        arm: Of all `LETTERS`, shape (rows, 4).
        units: The arm's units; where no stratum is usable one of them counts at most, which no test accepts.
        usable: Whether a stratum counts.
        suffix: As in `moments`.
    """
    columns = {f"over_n{suffix}": np.where(usable, arm.n, np.minimum(units, 1.0))}
    for i, a in enumerate(LETTERS):
        columns[f"over_{a}{suffix}"] = np.where(usable, arm.mean[:, i], 0.0)
        for j, b in enumerate(LETTERS[i:], start=i):
            columns[f"over_{a}{b}{suffix}"] = np.where(usable, arm.m2[:, i, j], 0.0)
    return columns


def _over(plain: JointMoments, rows: pl.DataFrame, letters: str, suffix: str) -> JointMoments:
    def column(name: str) -> FloatArray:
        return rows[f"over_{name}{suffix}"].to_numpy()

    there = rows["strata"].is_not_null().to_numpy()
    n, mean, m2 = plain.n.copy(), plain.mean.copy(), plain.m2.copy()
    n[there] = column("n")[there]
    for i, a in enumerate(letters):
        mean[there, i] = column(a)[there]
        for j, b in enumerate(letters):
            m2[there, i, j] = column("".join(sorted(a + b, key=LETTERS.index)))[there]
    return JointMoments(n, mean, m2)


def has_joint_moments(pairs: pl.DataFrame) -> BoolArray:
    """Pairs whose outcome and covariates come as joint moments: several covariates, or those of a quotient."""
    if not set(JOINT) <= set(pairs.columns):
        return np.zeros(pairs.height, dtype=np.bool_)
    both = pl.col(JOINT[0]).is_not_null() & pl.col(f"{JOINT[0]}{CONTROL}").is_not_null()
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
    # Zeros and ones share a scale with their covariate.
    counted = pl.col(f"sum_y{suffix}") // pl.col(f"scale_y{suffix}")
    part = rows.select(counted.cast(pl.Float64), pl.col(f"n{suffix}").cast(pl.Float64))
    return part.to_series(0).to_numpy(), part.to_series(1).to_numpy()
