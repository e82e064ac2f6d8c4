"""What stands beside a stratified comparison: the means that it compares, and what pooling would have said."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from fairsplit.analysis.judgement.comparing import compare_pairs, is_stratified
from fairsplit.analysis.judgement.pairing import CONTROL, GROUP, moments
from fairsplit.analysis.judgement.rows import COMPARISON_KEY
from fairsplit.analysis.statistics.ratios import linearised
from fairsplit.analysis.statistics.status import quiet

if TYPE_CHECKING:
    from fairsplit.analysis.statistics.checks import FloatArray


def beside_strata(pairs: pl.DataFrame) -> pl.DataFrame:
    """Per stratified pair its means by the strata, their errors, and the pooled comparison.

    Args:
        pairs: From `with_strata`.

    Returns:
        The pairs' key, `stratified_by`, `strata`, `left_out`, the arm's and the control's mean and error, and
        `pooled_*`; no row where nothing is stratified.
    """
    part = pairs.filter(pl.Series(is_stratified(pairs)))
    if part.is_empty():
        return pl.DataFrame()
    mean, std_error = _of_arm(part, "")
    control_mean, control_error = _of_arm(part, CONTROL)
    pooled = compare_pairs(part.drop("strata"), part["alpha"].to_numpy()).comparison
    numbers = {
        "mean_by_strata": mean,
        "error_by_strata": std_error,
        "control_mean_by_strata": control_mean,
        "control_error_by_strata": control_error,
        "pooled_lift_abs": pooled.diff,
        "pooled_lift_rel": pooled.rel.value,
        "pooled_p_value": pooled.p_value,
    }
    return part.select(*COMPARISON_KEY, "stratified_by", "strata", "left_out").with_columns(
        pl.Series(name, values).fill_nan(None) for name, values in numbers.items()
    )


def with_means_of_strata(own: pl.DataFrame, beside: pl.DataFrame) -> pl.DataFrame:
    """The rows with the means that their comparisons compare; the control's where all its treatments agree on it.

    Args:
        own: One row per arm with `mean` and `std_error`.
        beside: From `beside_strata`.
    """
    if beside.is_empty():
        return own
    rows = own.join(beside, on=list(COMPARISON_KEY), how="left", maintain_order="left")
    of_control = pl.col("control_mean_by_strata")
    agreed = (of_control.drop_nulls().n_unique() == 1) & (of_control.null_count() == 1)
    is_control = pl.col("variant_id") == pl.col("control_id")
    return rows.with_columns(
        pl.when(is_control & agreed.over(*GROUP))
        .then(pl.col(control).max().over(*GROUP))
        .otherwise(pl.coalesce(arm, plain))
        .alias(plain)
        for plain, arm, control in (
            ("mean", "mean_by_strata", "control_mean_by_strata"),
            ("std_error", "error_by_strata", "control_error_by_strata"),
        )
    )


@quiet
def _of_arm(pairs: pl.DataFrame, suffix: str) -> tuple[FloatArray, FloatArray]:
    joint = moments(pairs, "yd", suffix)
    plain, line = joint.variable(0), linearised(joint).variable(0)
    is_ratio = pairs["is_ratio"].to_numpy()
    error = np.sqrt(np.where(is_ratio, line.variance_of_mean, plain.variance_of_mean))
    return np.where(is_ratio, line.mean, plain.mean), error
