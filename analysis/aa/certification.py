"""False-positive rate, coverage and SRM alarms of the very analysis that judges experiments, with their intervals."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, cast

import numpy as np
from scipy import special

from fairsplit.analysis.aa.outcomes import (
    VARIABLES,
    Outcomes,
    compare_splits,
    is_by_values,
    outcomes,
    outcomes_by_values,
    variables_of,
)
from fairsplit.analysis.aa.splits import philox_shards
from fairsplit.analysis.aa.splitting import split_moments
from fairsplit.analysis.catalogue.shards import shard_ranges
from fairsplit.analysis.parts.installed import is_custom
from fairsplit.analysis.statistics.checks import (
    as_choice,
    as_counts,
    as_floats,
    as_level,
    as_non_negative,
    refuse,
)
from fairsplit.analysis.statistics.srm import srm_sequential
from fairsplit.analysis.statistics.status import quiet

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import ArrayLike, NDArray

    from fairsplit.analysis.aa.outcomes import Method
    from fairsplit.analysis.statistics.checks import BoolArray, FloatArray

#: Splits of one certification.
RUNS = 1000
#: Confidence of the binomial intervals: a metric that is well behaved leaves them once in a hundred checks.
CONFIDENCE = 0.99
#: Share of splits of which a custom part may fail to tell.
LARGEST_UNCOMPUTED = 0.01
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
        coverage: Runs whose interval of the difference holds 0; should be 1 - alpha; NaN for a method without
            interval.
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

    def refusal(self, alpha: float) -> str | None:
        """Why a custom part may not decide; none where it has kept its promises for every treatment.

        Being more careful than promised is no reason: such a part misses effects, and ships nothing for them.

        Args:
            alpha: The level that was promised.
        """
        runs = self.false_positives.runs
        if bool((self.uncomputed > LARGEST_UNCOMPUTED * (runs + self.uncomputed)).any()):
            return "part_failed"
        if bool((self.false_positives.low > alpha).any()):
            return "false_positives"
        if bool((self.coverage.runs == 0).any() or (self.coverage.high < 1.0 - alpha).any()):
            return "coverage"
        return None


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
    method: str,
    *,
    weights: ArrayLike = (1.0, 1.0),
    day: ArrayLike | None = None,
    runs: int = RUNS,
    seed: int = 0,
    shards: Iterable[NDArray[np.uint16]] | None = None,
    percentile: float = 0.5,
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
        method: The analysis as the judgement names it, or the name of a custom part.
        weights: Weights of the arms; the first is the control.
        day: Day on which each unit came (whole numbers), shape (units,): the SRM test looks after each day.
        runs: Number of splits, where `shards` does not bring its own.
        seed: Seed of the splits; the same seed gives the same result on every machine.
        shards: Blocks of shards from elsewhere, for example `md5_shards`.
        percentile: Probability of the quantile that ``percentile`` compares.
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
    if not is_custom(method):
        as_choice(method, "method", tuple(VARIABLES))
    as_level(srm_alpha, "srm_alpha")
    level = as_level(alpha)
    x = np.asarray(values)
    table = x[:, None] if x.ndim == 1 else x
    letters = variables_of(method)
    if table.ndim != 2 or table.shape[1] != len(letters):
        raise refuse(
            "shape_mismatch",
            f"not the variables of {method}",
            "values",
            value=x.shape,
            rule=", ".join(letters),
        )
    if method in {"proportion", "two_proportion_z"} and not np.isin(table, (0, 1)).all():
        raise refuse("out_of_range", "not a proportion", "values", rule="0 or 1")
    shares = as_non_negative(weights, "weights")
    if shares.ndim != 1 or (shares > 0).sum() < 2 or shares[0] == 0:
        raise refuse("out_of_range", "no two arms", "weights", value=shares, rule="control and a treatment")
    ranges = list(shard_ranges({str(arm): float(share) for arm, share in enumerate(shares)}).values())
    blocks = philox_shards(table.shape[0], runs, seed) if shards is None else shards
    found, daily = [], []
    for block in blocks:
        split = split_moments(table, [block], ranges, day=day)
        daily.append(split.daily)
        if is_by_values(method):
            one = as_floats(table[:, 0], "values")
            part = outcomes_by_values(one, block, ranges, method, percentile=percentile, alpha=level)
        else:
            part = outcomes(compare_splits(split, cast("Method", method), level))
        found.append(part)
    every = Outcomes(*(np.concatenate([getattr(part, f.name) for part in found]) for f in fields(Outcomes)))
    widths = np.array([high - low for low, high in ranges], dtype=np.float64)
    alarms = srm_sequential(np.concatenate(daily), widths).p_value[:, -1] < srm_alpha
    return _summary(every, alarms, float(level), srm_alpha, confidence)


def _summary(
    found: Outcomes, alarms: BoolArray, alpha: float, srm_alpha: float, confidence: float
) -> Certification:
    done = np.isfinite(found.p_value)

    def rate(hit: BoolArray, among: BoolArray) -> Rate:
        return clopper_pearson((hit & among).sum(axis=0), among.sum(axis=0), confidence)

    false_positives = rate(np.asarray(found.p_value < alpha), done)
    coverage = rate(found.holds, found.has_interval)
    relative = rate(found.relative_holds, found.has_relative)
    srm = clopper_pearson(alarms.sum(), alarms.size, confidence)
    flagged = _leaves(false_positives, alpha) | _leaves(coverage, 1.0 - alpha) | (srm.low > srm_alpha)
    missing = np.asarray((~done).sum(axis=0), dtype=np.float64)
    return Certification(false_positives, coverage, relative, srm, missing, np.asarray(flagged))


def _leaves(rate: Rate, promise: float) -> BoolArray:
    return np.asarray((rate.low > promise) | (rate.high < promise))
