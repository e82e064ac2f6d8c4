"""The chance of each arm to be the best of all, for Bayesian plans."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from fairsplit.analysis.judgement.comparing import RATE_TESTS, is_stratified
from fairsplit.analysis.judgement.pairing import successes
from fairsplit.analysis.statistics.bayes_beta import beta_best
from fairsplit.analysis.statistics.bayes_normal import normal_best
from fairsplit.analysis.statistics.status import Reason, quiet

if TYPE_CHECKING:
    from fairsplit.analysis.judgement.comparing import Tested
    from fairsplit.analysis.statistics.checks import BoolArray, FloatArray


def has_beta_posteriors(pairs: pl.DataFrame, tested: Tested) -> BoolArray:
    """Pairs of rates that their counts alone tell: no covariate, no weights and no strata adjust them."""
    return pairs["is_share"].to_numpy() & np.isin(tested.method, RATE_TESTS) & ~is_stratified(pairs)


@quiet
def best_of_arms(pairs: pl.DataFrame, tested: Tested) -> tuple[FloatArray, FloatArray]:
    """Chance to be the best arm, and what choosing the arm is expected to lose against the best.

    Rates have Beta posteriors. Everything else has normal ones, independent between the arms: the control's part of
    the variance of each difference is that of its units, and the arms that cannot be compared are left out.

    Args:
        pairs: From `paired`.
        tested: Their tests.

    Returns:
        Per pair; NaN for plans that are not Bayesian, roles other than primary, and segments.
    """
    base, size = tested.comparison, pairs.height
    chance, loss = np.full(size, np.nan), np.full(size, np.nan)
    asked = pairs.select(
        (pl.col("plan_method") == "bayesian") & (pl.col("role") == "primary") & (pl.col("segment") == "all")
    )
    known = asked.to_series().to_numpy() & (base.status == Reason.OK) & (base.se > 0)
    if not known.any():
        return chance, loss
    rates = has_beta_posteriors(pairs, tested)
    groups = (
        pairs.select("experiment_id", "cut_off", "metric", "analysis")
        .with_columns(at=pl.int_range(size), rate=pl.Series(rates))
        .filter(pl.Series(known))
        .group_by("experiment_id", "cut_off", "metric", "analysis", maintain_order=True)
        .agg("at", pl.col("rate").all())
        .with_columns(arms=pl.col("at").list.len())
    )
    for (_, rate), part in groups.group_by("arms", "rate", maintain_order=True):
        at = np.array(part["at"].to_list())
        sign = pairs["sign"].to_numpy()[at[:, :1]]
        if rate:
            (x, n), (x_0, n_0) = successes(pairs), successes(pairs, "_control")
            events = np.column_stack([x_0[at[:, 0]], x[at]])
            units = np.column_stack([n_0[at[:, 0]], n[at]])
            best = beta_best(np.where(sign > 0, events, units - events), units)
        else:
            variance = base.se[at] ** 2
            share = base.n_treatment[at] / (base.n_control[at] + base.n_treatment[at])
            own = np.mean(variance * share, axis=1, keepdims=True)
            errors = np.sqrt(np.column_stack([own, variance * (1 - share)]))
            best = normal_best(sign * np.column_stack([np.zeros(len(at)), base.diff[at]]), errors)
        chance[at] = best.p_best[:, 1:]
        loss[at] = best.expected_loss[:, 1:]
    return chance, loss
