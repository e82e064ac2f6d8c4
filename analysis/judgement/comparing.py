"""The test that each metric declares, over all comparisons at once, at a level per comparison."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from fairsplit.analysis.judgement.distributions import compare_distributions, has_histogram
from fairsplit.analysis.judgement.pairing import (
    CONTROL,
    has_joint_moments,
    has_sums,
    joint_moments,
    moments,
    successes,
)
from fairsplit.analysis.parts.installed import is_custom
from fairsplit.analysis.statistics.comparisons import Comparison, Estimate, conclude
from fairsplit.analysis.statistics.covariates import cuped
from fairsplit.analysis.statistics.lifts import Lift, Pair
from fairsplit.analysis.statistics.means import welch
from fairsplit.analysis.statistics.proportions import compare_proportions, is_rare, two_proportion_z
from fairsplit.analysis.statistics.ratios import linearised, ratio_delta
from fairsplit.analysis.statistics.status import Reason

if TYPE_CHECKING:
    from fairsplit.analysis.statistics.checks import BoolArray, FloatArray
    from fairsplit.analysis.statistics.moments import JointMoments

#: Levels below this cannot be told from 0 in a quantile; such bounds count as never crossed.
SMALLEST_LEVEL = 1e-300

_DISTRIBUTION_WORDS = {
    "percentile": "percentile",
    "mann_whitney": "mann_whitney",
    "ks": "kolmogorov_smirnov",
}
#: Rows whose test needs the units by value; those of custom parts all do.
BY_DISTRIBUTION: Final = pl.col("test").is_in(tuple(_DISTRIBUTION_WORDS)) | pl.col("test").str.contains(
    ".", literal=True
)
#: Methods that compare the rates of a share metric by its counts alone.
RATE_TESTS = ("welch", "score", "fisher", "two_proportion_z")


@dataclass(frozen=True, slots=True)
class Tested:
    """Comparisons of all pairs, in the order of the pairs' frame.

    Attributes:
        comparison: Difference, test, intervals and lift.
        method: The name of the test that was used.
        variance_reduction: What the covariate saved; NaN where none was used.
        cuped: Whether a covariate was used.
    """

    comparison: Comparison
    method: np.ndarray[Any, Any]
    variance_reduction: FloatArray
    cuped: BoolArray


def compare_pairs(pairs: pl.DataFrame, alpha: FloatArray, histograms: pl.DataFrame | None = None) -> Tested:
    """Test every pair by its metric's kind, covariate and alternative.

    Args:
        pairs: From `paired`.
        alpha: Level per pair, in (0, 1).
        histograms: `fct_value_histograms` in the metric's scaled integers.

    Returns:
        Results in the pairs' order; without its histogram a pair has the method ``not_computed``.
    """
    size = pairs.height
    result = _blank(size, alpha)
    refused = refused_by_strata(pairs)
    result.status[refused] = Reason.WEIGHTS_CHANGED
    summed = pairs.select(has_sums() & has_sums(CONTROL)).to_series().to_numpy()
    result.status[~summed] = Reason.SUMS_OUT_OF_RANGE
    method = np.full(size, "not_computed", dtype=object)
    reduction = np.full(size, np.nan)
    used = np.zeros(size, dtype=np.bool_)
    covered = (pairs["covered"] & pairs["covered_control"]).to_numpy()
    is_ratio = pairs["is_ratio"].to_numpy()
    test, is_share = pairs["test"].to_numpy(), pairs["is_share"].to_numpy()
    populated = ((pairs["n"] > 0) & (pairs["n_control"] > 0)).to_numpy()
    by_values = compares_distributions(pairs)
    # What a covariate would save of few events is little beside what Welch's t would say too often of them.
    covered = covered & populated & ~by_values & ~rare_shares(pairs)
    is_ratio = is_ratio & ~by_values
    stratified = is_stratified(pairs)
    there = has_histogram(pairs, histograms)
    alternatives = pairs["alternative"].to_numpy()
    joint = has_joint_moments(pairs)
    kinds = {
        "ratio_delta": is_ratio & ~covered,
        "regression": covered & joint,
        "ratio_cuped": is_ratio & covered & ~joint,
        "cuped": ~is_ratio & covered & ~joint,
        **{word: there & (test == name) for name, word in _DISTRIBUTION_WORDS.items()},
        **{name: there & (test == name) for name in pairs["test"].unique().sort() if is_custom(name)},
        "proportion": ~is_ratio & ~covered & (test == "proportion") & ~stratified,
        "two_proportion_z": ~is_ratio & ~covered & is_share & (test == "z") & ~stratified,
        "welch": ~is_ratio
        & ~covered
        & (
            np.isin(test, ["welch", "student", "z", "ratio"]) & ~(is_share & (test == "z"))
            | stratified & np.isin(test, ["proportion", "z"])
        ),
    }
    adaptive = is_adaptive(pairs)
    kinds = {"adaptive_weights": adaptive & summed} | {
        kind: mask & ~adaptive & ~refused & summed for kind, mask in kinds.items()
    }
    for alternative in np.unique(alternatives):
        for kind, mask in kinds.items():
            index = np.flatnonzero(mask & (alternatives == alternative))
            if index.size == 0:
                continue
            part, words, saved = _one_kind(kind, pairs[index], alpha[index], str(alternative), histograms)
            _put(result, part, index)
            method[index] = words
            if saved is not None:
                reduction[index] = saved
                used[index] = True
    return Tested(result, method, reduction, used)


def at_levels(
    pairs: pl.DataFrame, tested: Tested, level: FloatArray, histograms: pl.DataFrame | None = None
) -> Comparison:
    """The same tests at other levels; a pair that keeps its level keeps its result and costs nothing.

    Args:
        pairs: From `paired`.
        tested: Their tests.
        level: Level per pair, in (0, 1).
        histograms: As in `compare_pairs`.
    """
    result = _blank(pairs.height, level)
    _put(result, tested.comparison, np.arange(pairs.height))
    other = np.flatnonzero(level != tested.comparison.alpha)
    if other.size:
        _put(result, compare_pairs(pairs[other], level[other], histograms).comparison, other)
    return result


def rare_shares(pairs: pl.DataFrame) -> BoolArray:
    """Pairs of rates whose events are so few in arms so unequal that only the exact test keeps its level."""
    rare = np.zeros(pairs.height, dtype=np.bool_)
    at = np.flatnonzero(pairs["is_share"].to_numpy() & ~pairs["is_ratio"].to_numpy())
    if at.size:
        part = pairs[at]
        rare[at] = is_rare(*successes(part, "_control"), *successes(part))
    return rare


def compares_distributions(rows: pl.DataFrame) -> BoolArray:
    """Rows whose test needs the units by value."""
    return rows.select(BY_DISTRIBUTION).to_series().to_numpy()


def is_adaptive(rows: pl.DataFrame) -> BoolArray:
    """Rows of bandits, whose figures `with_batches` has weighted."""
    return _has(rows, "bandit_status")


def is_stratified(rows: pl.DataFrame) -> BoolArray:
    """Pairs whose moments `with_strata` has combined."""
    return _has(rows, "strata")


def _has(rows: pl.DataFrame, column: str) -> BoolArray:
    """Rows with a value in a column that only some frames have."""
    if column not in rows.columns:
        return np.zeros(rows.height, dtype=np.bool_)
    return rows[column].is_not_null().to_numpy()


def refused_by_strata(pairs: pl.DataFrame) -> BoolArray:
    """Pairs that only counts of values by stratum could answer, which are not kept: ranks, quantiles, capped values."""
    refused = is_stratified(pairs)
    if refused.any():
        by_values = compares_distributions(pairs)
        refused = refused & (by_values | pairs["cap_high"].is_not_null().to_numpy())
    return refused


def _one_kind(
    kind: str, pairs: pl.DataFrame, alpha: FloatArray, alternative: Any, histograms: pl.DataFrame | None
) -> tuple[Comparison, Any, FloatArray | None]:
    if histograms is not None and (kind in _DISTRIBUTION_WORDS.values() or is_custom(kind)):
        return compare_distributions(kind, pairs, histograms, alpha, alternative), kind, None
    if kind == "adaptive_weights":
        return _weighted(pairs, alpha, alternative), kind, None
    if kind == "proportion":
        scored = compare_proportions(
            *successes(pairs, "_control"), *successes(pairs), alpha=alpha, alternative=alternative
        )
        word = np.where(scored.exact_used, "fisher", np.where(scored.score_used, "score", "welch"))
        return scored.comparison, word, None
    if kind == "two_proportion_z":
        counts = (*successes(pairs, "_control"), *successes(pairs))
        return two_proportion_z(*counts, alpha=alpha, alternative=alternative), kind, None
    if kind in {"welch", "ratio_delta"}:
        letters = "y" if kind == "welch" else "yd"
        both = (moments(pairs, letters, "_control"), moments(pairs, letters))
        if kind == "welch":
            done = welch(both[0].variable(0), both[1].variable(0), alpha, alternative)
        else:
            done = ratio_delta(*both, alpha, alternative)
        return done, kind, None
    control, treatment = _with_covariates(kind, pairs, "_control"), _with_covariates(kind, pairs)
    adjusted = cuped(control, treatment, alpha, alternative)
    saved = np.where(adjusted.covariate_status == Reason.OK, adjusted.variance_reduction, 0.0)
    words = np.where(pairs["is_ratio"].to_numpy(), "ratio_cuped", "cuped")
    return adjusted.comparison, words, saved


def _with_covariates(kind: str, pairs: pl.DataFrame, suffix: str = "") -> JointMoments:
    """The outcome, linearised where it is a ratio, and its covariates."""
    if kind == "regression":
        return joint_moments(pairs, suffix)
    if kind == "ratio_cuped":
        return linearised(moments(pairs, "ydxw", suffix))
    return moments(pairs, "yx", suffix)


def _weighted(pairs: pl.DataFrame, alpha: FloatArray, alternative: Any) -> Comparison:
    names = ("diff", "baseline", "var_diff", "var_baseline", "covariance")
    pair = Pair(*(pairs[f"bandit_{name}"].to_numpy() for name in names))
    status, unending = pairs["bandit_status"].to_numpy(), np.full(pairs.height, np.inf)
    arms = (
        Estimate(pairs["n_control"].to_numpy(), pair.baseline, pair.var_baseline, unending, status),
        Estimate(pairs["n"].to_numpy(), pair.baseline + pair.diff, pair.var_diff, unending, status),
    )
    return conclude(arms, pair, unending, alpha, status, alternative=alternative)


def _blank(size: int, alpha: FloatArray) -> Comparison:
    def nothing() -> FloatArray:
        return np.full(size, np.nan)

    status = np.full(size, Reason.INFEASIBLE, dtype=np.int8)
    no = np.zeros(size, dtype=np.bool_)
    lift = Lift(
        nothing(), nothing(), nothing(), nothing(), no, nothing(), nothing(), nothing(), status.copy()
    )
    numbers = {f.name: nothing() for f in fields(Comparison)}
    return Comparison(
        **{**numbers, "rel": lift, "alpha": alpha.copy(), "adequate": no.copy(), "status": status}  # type: ignore[arg-type]
    )


def _put(whole: Comparison, part: Comparison, index: np.ndarray[Any, Any]) -> None:
    for name in (f.name for f in fields(Comparison) if f.name != "rel"):
        getattr(whole, name)[index] = getattr(part, name)
    for name in (f.name for f in fields(Lift)):
        getattr(whole.rel, name)[index] = getattr(part.rel, name)
