"""Several comparisons at once: p-values adjusted inside a family, and the level of the intervals that agree."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from scipy import special

from fairsplit.analysis.judgement.pairing import moments
from fairsplit.analysis.statistics.dunnett import many_to_one
from fairsplit.analysis.statistics.multiplicity import adjust_p_values
from fairsplit.analysis.statistics.status import quiet

if TYPE_CHECKING:
    from fairsplit.analysis.judgement.comparing import Tested
    from fairsplit.analysis.statistics.checks import FloatArray

#: Smaller p-values are the same to every correction.
_SMALLEST_P = 1e-290


def adjusted(pairs: pl.DataFrame, tested: Tested) -> tuple[FloatArray, FloatArray]:
    """Adjusted p-values and the level of the intervals that agree with them.

    Families: the primary metrics and arms of one experiment and cut-off under the plan's correction; its
    secondary metrics by Benjamini-Hochberg; a guardrail stands alone. Levels of a segment are one
    Benjamini-Hochberg family per role: they inform and never decide. Dunnett's families are the arms of one metric,
    and several primary metrics share alpha equally (Bonferroni).

    Args:
        pairs: From `paired`.
        tested: Their tests.

    Returns:
        Adjusted p-value and interval level per pair; NaN where there is no p-value.
    """
    p_value = tested.comparison.p_value
    total = pl.col("segment") == "all"
    plan = pairs.select(
        method=pl.when((pl.col("role") == "guardrail") & total)
        .then(pl.lit("none"))
        .when((pl.col("role") == "primary") & total)
        .then("correction")
        .otherwise(pl.lit("bh")),
        alpha="alpha",
        family=pl.struct("experiment_id", "cut_off", "segment", "analysis", "role")
        .rank("dense")
        .cast(pl.Int64),
    )
    value, level = p_value.copy(), plan["alpha"].to_numpy().copy()
    for (method, alpha), part in plan.with_row_index("at").group_by("method", "alpha", maintain_order=True):
        if method == "none":
            continue
        at = part["at"].to_numpy()
        if method == "dunnett":
            value[at], level[at] = _dunnett(pairs[at], tested, at)
            continue
        done = adjust_p_values(
            p_value[at], part["family"].to_numpy(), method=str(method), alpha=float(str(alpha))
        )
        value[at], level[at] = done.p_adjusted, done.interval_alpha
    return value, np.where(np.isnan(p_value), np.nan, level)


@quiet
def _dunnett(pairs: pl.DataFrame, tested: Tested, at: np.ndarray) -> tuple[FloatArray, FloatArray]:
    """Dunnett's p-values, and the level whose quantile is his critical value: each test keeps its own interval.

    A test that is no t-test takes part by the t-value of its p-value.
    """
    base = tested.comparison
    p, df = base.p_value[at], np.where(np.isfinite(base.df[at]), base.df[at], np.inf)
    known = ~np.isnan(p)
    adjusted_p, level = np.full(p.shape, np.nan), np.full(p.shape, np.nan)
    if not known.any():
        return adjusted_p, level
    sides = np.where(pairs["alternative"].to_numpy() == "two-sided", 2, 1)
    metrics = pairs.select(pl.col("metric").n_unique().over("experiment_id")).to_series().to_numpy()
    family = pairs.select(
        pl.struct("experiment_id", "cut_off", "analysis", "metric").rank("dense").cast(pl.Int64)
    )
    ids = family.to_series().to_numpy()
    share, alpha = _control_share(pairs, tested, at), pairs["alpha"].to_numpy() / metrics
    for side in (1, 2):
        one = known & (sides == side)
        if not one.any():
            continue
        tail = np.maximum(p[one], _SMALLEST_P) / side
        size = np.where(np.isinf(df[one]), -special.ndtri(tail), -special.stdtrit(df[one], tail))
        done = many_to_one(size, np.ones(size.shape), share[one], df[one], ids[one], alpha[one], sides=side)
        adjusted_p[one] = np.minimum(1.0, done.p_adjusted * metrics[one])
        critical = done.critical_value
        reach = np.where(np.isinf(df[one]), special.ndtr(-critical), special.stdtr(df[one], -critical))
        level[one] = side * reach
    return adjusted_p, level


def _control_share(pairs: pl.DataFrame, tested: Tested, at: np.ndarray) -> FloatArray:
    """The control's part of each comparison's variance; by units alone where a covariate or weights changed it."""
    n, control = pairs["n"].to_numpy(), pairs["n_control"].to_numpy()
    by_units = n / np.maximum(n + control, 1)
    own = moments(pairs, "y", "_control").variable(0).variance_of_mean / tested.comparison.se[at] ** 2
    plain = np.isin(tested.method[at], ["welch", "two_proportion_z"]) & (own > 0) & (own < 1)
    share: FloatArray = np.where(plain, own, by_units)
    return share
