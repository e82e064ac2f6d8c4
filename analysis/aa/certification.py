"""False-positive rate, coverage and SRM alarms of the very analysis that judges experiments, with their intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from scipy import special

from analysis.aa.splits import philox_shards
from analysis.aa.splitting import SplitMoments, split_moments
from analysis.catalogue.shards import shard_ranges
from analysis.statistics.checks import as_choice, as_counts, as_level, as_non_negative, refuse
from analysis.statistics.covariates import cuped
from analysis.statistics.means import welch
from analysis.statistics.proportions import compare_proportions
from analysis.statistics.ratios import linearised, ratio_delta
from analysis.statistics.srm import srm_sequential
from analysis.statistics.status import Reason, quiet

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import ArrayLike, NDArray

    from analysis.statistics.checks import BoolArray, FloatArray
    from analysis.statistics.comparisons import Comparison
    from analysis.statistics.moments import JointMoments

Method: TypeAlias = Literal["welch", "proportion", "ratio_delta", "cuped", "ratio_cuped"]
#: The variables that each method reads, in order: outcome y, denominator d, covariates x and w of both.
VARIABLES: dict[str, str] = {
    "welch": "y",
    "proportion": "y",
    "ratio_delta": "yd",
    "cuped": "yx",
    "ratio_cuped": "ydxw",
}
RUNS = 1000
#: Confidence of the binomial intervals: a metric that is well behaved leaves them once in a hundred checks.
CONFIDENCE = 0.99
#: The level at which the gate fails an experiment.
SRM_ALPHA = 0.001


@dataclass(frozen=True, slots=True)
class Rate:
    """How often something happened, with the Clopper–Pearson interval.

    Attributes:
        count: Times it happened, shape (treatments,), or () for SRM.
        runs: Runs in which it could be computed.
        observed: count / runs.
        low: Lower bound of the interval.
        high: Upper bound.
    """

    count: FloatArray
    runs: FloatArray
    observed: FloatArray
    low: FloatArray
    high: FloatArray


@dataclass(frozen=True, slots=True)
class Certification:
    """What A/A splits of a metric's units say of one method.

    Attributes:
        false_positives: Runs with p < alpha; should be alpha.
        coverage: Runs whose interval of the difference holds 0; should be 1 - alpha.
        relative_coverage: Runs whose interval of the relative lift holds 0 (an unbounded one does, unless 0
            is in its gap).
        srm_alarms: Runs in which the sequential SRM test ever fell below its level; should not exceed it.
        uncomputed: Runs without a number, for each treatment.
        flagged: True where a rate's interval leaves its promise: the metric must not be trusted with this
            method, shape (treatments,).
    """

    false_positives: Rate
    coverage: Rate
    relative_coverage: Rate
    srm_alarms: Rate
    uncomputed: FloatArray
    flagged: BoolArray


@quiet
def clopper_pearson(count: ArrayLike, runs: ArrayLike, confidence: ArrayLike = CONFIDENCE) -> Rate:
    """Exact binomial interval of a rate.

    Args:
        count: Times it happened.
        runs: Times it could have happened; 0 gives NaN.
        confidence: Level of the interval.

    Returns:
        `Rate` of the broadcast shape.

    Raises:
        InputError: Counts that are no counts, confidence outside (0, 1).

    Source:
        Clopper & Pearson (1934), Biometrika 26.

    Examples:
        >>> r = clopper_pearson(5, 100, 0.95)
        >>> print(f"{r.low:.4f} {r.high:.4f}")
        0.0164 0.1128
    """
    k, n = as_counts(count, "count"), as_counts(runs, "runs")
    half = (1.0 - as_level(confidence, "confidence")) / 2.0
    low = np.where(k == 0, 0.0, special.betaincinv(np.maximum(k, 1.0), n - k + 1.0, half))
    high = np.where(k == n, 1.0, special.betainccinv(k + 1.0, np.maximum(n - k, 1.0), half))
    none = n == 0
    return Rate(k, n, np.asarray(k / n), np.where(none, np.nan, low), np.where(none, np.nan, high))


def certify(
    values: ArrayLike,
    method: Method,
    *,
    weights: ArrayLike = (1.0, 1.0),
    day: ArrayLike | None = None,
    runs: int = RUNS,
    seed: int = 0,
    shards: Iterable[NDArray[np.uint16]] | None = None,
    alpha: float = 0.05,
    srm_alpha: float = SRM_ALPHA,
    confidence: float = CONFIDENCE,
) -> Certification:
    """Split the same units at random, again and again, and analyse each split as if it were an experiment.

    No split has an effect, so every significant result is false and every interval should hold 0. 1,000
    splits of 100,000 units take a few seconds.

    Args:
        values: Unit values of the metric, shape (units,) or (units, variables) in the order that `VARIABLES`
            gives for the method.
        method: The analysis, as the judgement names it.
        weights: Weights of the arms; the first is the control.
        day: Day on which each unit came (whole numbers), shape (units,): the SRM test looks after each day.
        runs: Number of splits, where `shards` does not bring its own.
        seed: Seed of the splits; the same seed gives the same result on every machine.
        shards: Blocks of shards from elsewhere, for example `md5_shards`.
        alpha: Level of test and interval.
        srm_alpha: Level of the SRM alarm.
        confidence: Level of the binomial intervals.

    Returns:
        `Certification` with one element for each treatment.

    Raises:
        InputError: ``shape_mismatch`` for variables that the method does not read, ``unknown_choice``,
            ``not_finite``, ``out_of_range`` (levels; values other than 0 and 1 for ``proportion``; weights
            without two arms).

    Source:
        Kohavi, Tang & Xu (2020), ch. 19 (A/A tests by re-randomising past data).

    Examples:
        >>> y = np.random.default_rng(1).exponential(size=2000)
        >>> r = certify(y, "welch", runs=200, seed=3)
        >>> bool(r.false_positives.low[0] <= 0.05 <= r.false_positives.high[0])
        True
    """
    as_choice(method, "method", tuple(VARIABLES))
    as_level(srm_alpha, "srm_alpha")
    level = as_level(alpha)
    x = np.asarray(values)
    table = x[:, None] if x.ndim == 1 else x
    letters = VARIABLES[method]
    if table.ndim != 2 or table.shape[1] != len(letters):
        raise refuse(
            "shape_mismatch",
            f"not the variables of {method}",
            "values",
            value=x.shape,
            rule=", ".join(letters),
        )
    if method == "proportion" and not np.isin(table, (0, 1)).all():
        raise refuse("out_of_range", "not a proportion", "values", rule="0 or 1")
    shares = as_non_negative(weights, "weights")
    if shares.ndim != 1 or (shares > 0).sum() < 2 or shares[0] == 0:
        raise refuse("out_of_range", "no two arms", "weights", value=shares, rule="control and a treatment")
    ranges = list(shard_ranges({str(arm): float(share) for arm, share in enumerate(shares)}).values())
    blocks = philox_shards(table.shape[0], runs, seed) if shards is None else shards
    split = split_moments(table, blocks, ranges, day=day)
    result = compare_splits(split, method, level)
    return _summary(split, result, ranges, float(level), srm_alpha, confidence)


def compare_splits(split: SplitMoments, method: Method, alpha: ArrayLike = 0.05) -> Comparison:
    """The judgement's own comparison of every treatment with the control, for every split.

    Args:
        split: From `split_moments`, with the variables of the method.
        method: The analysis.
        alpha: Level.

    Returns:
        Comparisons of shape (runs, treatments).

    Raises:
        InputError: ``unknown_choice``; alpha outside (0, 1).

    Examples:
        >>> one = np.array([[0, 9999, 1, 8000]], dtype=np.uint16)
        >>> split = split_moments([[1.0], [5.0], [3.0], [6.0]], [one], [(0, 5000), (5000, 10000)])
        >>> compare_splits(split, "welch").diff
        array([[3.5]])
    """
    as_choice(method, "method", tuple(VARIABLES))
    control, treatment = (
        split.arms.take((slice(None), slice(0, 1))),
        split.arms.take((slice(None), slice(1, None))),
    )
    if method == "welch":
        return welch(control.variable(0), treatment.variable(0), alpha)
    if method == "proportion":
        # The sums of zeros and ones come out of a matrix product with rounding errors.
        (x_c, n_c), (x_t, n_t) = (_successes(arm) for arm in (control, treatment))
        return compare_proportions(x_c, n_c, x_t, n_t, alpha=alpha).comparison
    if method == "ratio_delta":
        return ratio_delta(control, treatment, alpha)
    if method == "ratio_cuped":
        control, treatment = linearised(control), linearised(treatment)
    return cuped(control, treatment, alpha).comparison


def _successes(arm: JointMoments) -> tuple[FloatArray, FloatArray]:
    return np.rint(arm.mean[..., 0] * arm.n), arm.n


def _summary(
    split: SplitMoments,
    result: Comparison,
    ranges: list[tuple[int, int]],
    alpha: float,
    srm_alpha: float,
    confidence: float,
) -> Certification:
    done = np.asarray(result.status == Reason.OK)
    runs = done.sum(axis=0)

    def rate(hit: BoolArray) -> Rate:
        return clopper_pearson((hit & done).sum(axis=0), runs, confidence)

    lift = result.rel
    relative_done = done & np.asarray(lift.status == Reason.OK)
    # An unbounded set reaches from minus to plus infinity, perhaps with a gap.
    holds = (lift.low <= 0) & (lift.high >= 0) & ~((lift.excluded_low < 0) & (lift.excluded_high > 0))
    widths = np.array([high - low for low, high in ranges], dtype=np.float64)
    alarms = srm_sequential(split.daily, widths).p_value[:, -1] < srm_alpha
    false_positives = rate(np.asarray(result.p_value < alpha))
    coverage = rate(np.asarray((result.ci_low <= 0) & (result.ci_high >= 0)))
    srm = clopper_pearson(alarms.sum(), alarms.size, confidence)
    relative = clopper_pearson((holds & relative_done).sum(axis=0), relative_done.sum(axis=0), confidence)
    flagged = _leaves(false_positives, alpha) | _leaves(coverage, 1.0 - alpha) | (srm.low > srm_alpha)
    missing = np.asarray((~done).sum(axis=0), dtype=np.float64)
    return Certification(false_positives, coverage, relative, srm, missing, np.asarray(flagged))


def _leaves(rate: Rate, promise: float) -> BoolArray:
    return np.asarray((rate.low > promise) | (rate.high < promise))
