"""Quantiles: order-statistic intervals, Harrell-Davis, tests, and differences between arms, clustered too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special

from fairsplit.analysis.statistics.checks import as_counts, as_floats, as_level, refuse, together
from fairsplit.analysis.statistics.comparisons import Comparison, Estimate, compare
from fairsplit.analysis.statistics.status import Reason, blank, quiet, reasons

if TYPE_CHECKING:
    from fairsplit.analysis.statistics.checks import BoolArray, FloatArray, StatusArray
    from fairsplit.analysis.statistics.histograms import Histograms
    from fairsplit.analysis.statistics.moments import JointMoments
    from fairsplit.analysis.statistics.tails import Alternative

#: Confidence of the order-statistic interval from which an arm's standard error is read.
_SE_Z = 1.0
#: A value is a lump where it holds so many standard errors of the share below the quantile, and is within reach of it
#: so many standard errors away: then the sample quantile moves in jumps, and a normal test is false.
_LUMP, _REACH = 1.5, 2.5


@dataclass(frozen=True, slots=True, eq=False)
class RankInterval:
    """Distribution-free intervals of a quantile in ranks.

    Attributes:
        rank_low: 1-based rank of the lower end; 0 where there is none.
        rank_high: 1-based rank of the upper end; n + 1 where there is none.
        coverage: Exact coverage for continuous values; at least the confidence.
        status: `Reason` codes; ``no_interval`` where an end is open.
    """

    rank_low: FloatArray
    rank_high: FloatArray
    coverage: FloatArray
    status: StatusArray


@quiet
def quantile_ranks(n: Any, p: Any, confidence: Any = 0.95) -> RankInterval:
    """Ranks between which the p-quantile lies: equal-tailed binomial interval.

    rank_low = qbinom(alpha / 2), rank_high = qbinom(1 - alpha / 2) + 1 (David and Nagaraja 2003, 7.1).

    Args:
        n: Values.
        p: Probability of the quantile, strictly between 0 and 1.
        confidence: 1 - alpha.

    Returns:
        Ranks and exact coverage P(rank_low <= B <= rank_high - 1), B binomial (n, p).

    Raises:
        InputError: For impossible counts and probabilities.

    Examples:
        >>> r = quantile_ranks(10, 0.5)
        >>> r.rank_low.item(), r.rank_high.item(), r.coverage.item()
        (2.0, 9.0, 0.978515625)
    """
    count, q, level = together(
        {"n": as_counts(n, "n"), "p": as_level(p, "p"), "confidence": as_level(confidence, "confidence")}
    )
    from scipy import stats  # noqa: PLC0415 - half a second, which only exact ranks need

    tail = (1.0 - level) / 2.0
    low = np.asarray(stats.binom.ppf(tail, count, q))
    # From the other side, since 1 - tail would round for tails below 1e-16.
    high = np.asarray(count - stats.binom.ppf(tail, count, 1.0 - q) + 1.0)
    coverage = stats.binom.cdf(high - 1.0, count, q) - stats.binom.cdf(low - 1.0, count, q)
    status = reasons(
        count.shape,
        [(count == 0, Reason.NO_EXPOSURE), ((low < 1) | (high > count), Reason.NO_INTERVAL)],
    )
    return RankInterval(low, high, np.where(count > 0, coverage, np.nan), status)


def quantile_interval(values: Any, p: Any, confidence: Any = 0.95) -> tuple[FloatArray, FloatArray]:
    """Distribution-free interval of a quantile from raw values.

    Args:
        values: Shape (..., n).
        p: Probability, shape (...).
        confidence: 1 - alpha.

    Returns:
        Lower and upper end; minus infinity and infinity where too few values bound that side.

    Raises:
        InputError: For NaN, infinities, impossible probabilities.

    Examples:
        >>> low, high = quantile_interval(list(range(1, 11)), 0.5)
        >>> low.item(), high.item()
        (2.0, 9.0)
    """
    x = np.sort(np.atleast_1d(as_floats(values, "values")), axis=-1)
    n = x.shape[-1]
    ranks = quantile_ranks(n, np.broadcast_to(as_level(p, "p"), x.shape[:-1]), confidence)
    padded = np.concatenate(
        [np.full((*x.shape[:-1], 1), -np.inf), x, np.full((*x.shape[:-1], 1), np.inf)], axis=-1
    )
    ends = np.stack([ranks.rank_low, ranks.rank_high], axis=-1).astype(np.intp)
    found = np.take_along_axis(padded, ends, axis=-1)
    return found[..., 0], found[..., 1]


def quantile_point(values: Any, p: Any) -> FloatArray:
    """Type-7 sample quantiles (linear interpolation of order statistics).

    Args:
        values: Shape (..., n), n at least 1.
        p: Probabilities in [0, 1], shape (k,) or a number.

    Returns:
        Shape (..., k), or (...) for one probability.

    Raises:
        InputError: For NaN, infinities, probabilities outside [0, 1].

    Examples:
        >>> quantile_point([1.0, 2.0, 3.0, 4.0], [0.25, 0.5])
        array([1.75, 2.5 ])
    """
    x, q = np.atleast_1d(as_floats(values, "values")), as_floats(p, "p")
    if np.any((q < 0) | (q > 1)):
        raise refuse("out_of_range", "not a probability", "p", value=q, rule="between 0 and 1")
    if x.shape[-1] == 0:
        raise refuse("insufficient_sample", "no values", "values", rule="at least one")
    out = np.quantile(x, q, axis=-1)
    return np.moveaxis(out, 0, -1) if q.ndim else np.asarray(out)


@dataclass(frozen=True, slots=True, eq=False)
class QuantileEstimate:
    """Harrell-Davis estimates.

    Attributes:
        value: Estimates, shape (..., k).
        se: Jackknife standard errors.
    """

    value: FloatArray
    se: FloatArray


def harrell_davis(values: Any, p: Any) -> QuantileEstimate:
    """Harrell-Davis quantile estimates (1982) with the jackknife standard error.

    A weighted mean of all order statistics, weights I_{i/n}(a, b) - I_{(i-1)/n}(a, b), a = (n + 1) p,
    b = (n + 1)(1 - p): smoother than one or two order statistics.

    Args:
        values: Shape (..., n), n at least 3.
        p: Probabilities strictly between 0 and 1, shape (k,).

    Returns:
        Estimates and standard errors, shape (..., k).

    Raises:
        InputError: For NaN, infinities, impossible probabilities; ``insufficient_sample`` below 3 values.

    Examples:
        >>> harrell_davis([1.0, 2.0, 3.0, 4.0, 5.0], [0.5]).value
        array([3.])
    """
    x = np.sort(np.atleast_1d(as_floats(values, "values")), axis=-1)
    q = np.atleast_1d(as_level(p, "p"))
    n = x.shape[-1]
    if n < 3:
        raise refuse("insufficient_sample", "too few values", "values", value=n, rule="at least 3")
    value = x @ _harrell_davis_weights(n, q).T
    rest = _harrell_davis_weights(n - 1, q)
    zero = np.zeros((*x.shape[:-1], q.size, 1))
    # Without value i, the values before it keep their weights and those after it move up by one.
    before = np.concatenate([zero, np.cumsum(rest * x[..., None, :-1], axis=-1)], axis=-1)
    after = np.concatenate(
        [np.cumsum((rest * x[..., None, 1:])[..., ::-1], axis=-1)[..., ::-1], zero], axis=-1
    )
    left_out = before + after
    return QuantileEstimate(value, np.sqrt(left_out.var(axis=-1) * (n - 1)))


def _harrell_davis_weights(n: int, p: FloatArray) -> FloatArray:
    edges = np.arange(n + 1) / n
    a, b = (n + 1) * p[:, None], (n + 1) * (1.0 - p[:, None])
    return np.diff(special.betainc(a, b, edges), axis=-1)


@quiet
def quantile_test(n: Any, below: Any, at_most: Any, p: Any) -> FloatArray:
    """Two-sided binomial test that the p-quantile is a given value (Conover 1999, section 3.2).

    Args:
        n: Values.
        below: Values strictly below the hypothesised quantile.
        at_most: Values at most the hypothesised quantile.
        p: Probability of the quantile.

    Returns:
        p-values: twice the smaller of P(B <= at_most)'s and P(B >= below)'s tails, at most 1.

    Raises:
        InputError: For impossible counts and probabilities.

    Examples:
        >>> quantile_test(10, 1, 1, 0.5).round(4)
        np.float64(0.0215)
    """
    count, low, high, q = together(
        {
            "n": as_counts(n, "n"),
            "below": as_counts(below, "below"),
            "at_most": as_counts(at_most, "at_most"),
            "p": as_level(p, "p"),
        }
    )
    from scipy import stats  # noqa: PLC0415 - half a second, which only exact ranks need

    if np.any((low > high) | (high > count)):
        raise refuse("out_of_range", "counts out of order", "below, at_most, n", rule="below <= at_most <= n")
    left, right = stats.binom.cdf(high, count, q), stats.binom.sf(low - 1.0, count, q)
    return np.minimum(2.0 * np.minimum(left, right), 1.0)


def quantile_test_values(values: Any, q: float, p: float) -> FloatArray:
    """`quantile_test` from raw values.

    Args:
        values: Shape (..., n).
        q: Hypothesised quantile.
        p: Its probability.

    Raises:
        InputError: For NaN, infinities, impossible probabilities.

    Examples:
        >>> quantile_test_values(list(range(1, 11)), 1.5, 0.5).round(4)
        np.float64(0.0215)
    """
    x = np.atleast_1d(as_floats(values, "values"))
    return quantile_test(x.shape[-1], (x < q).sum(axis=-1), (x <= q).sum(axis=-1), p)


@quiet
def quantile_estimates(
    histograms: Histograms, p: Any, rate_variances: tuple[FloatArray, FloatArray] | None = None
) -> tuple[Estimate, Estimate]:
    """Quantiles of both arms with standard errors read from order statistics.

    The share of values below the true quantile has mean p and variance v (p (1 - p) / n for independent
    units); the values at p - sqrt(v) and p + sqrt(v) enclose the quantile with one standard error to each
    side, without any estimate of a density (Woodruff 1952; for clusters Liu, Sun, Varshney and Xu 2018).

    Where one value near the quantile holds many units, the sample quantile jumps between it and the rest, and a normal
    test is false: with 10.5 % buyers and p = 0.9 it rejects a tenth of true nulls at 5 %, and with counts as many or
    more. Such arms have no interval.

    Args:
        histograms: Value histograms of both arms.
        p: Probability of the quantile, per comparison.
        rate_variances: Variances of the share below the quantile (control, treatment), from `clustered_rate`
            where one unit of randomisation has many rows; none means independent rows.

    Returns:
        Control and treatment; status ``no_interval`` where the order statistics run out, ``ties_at_quantile`` where
        one value holds too many units.

    Raises:
        InputError: For impossible probabilities.

    Examples:
        >>> from fairsplit.analysis.statistics.histograms import Histograms
        >>> h = Histograms.from_values(list(range(101)), list(range(101)))
        >>> quantile_estimates(h, 0.5)[0].value
        array([50.])
    """
    h = histograms
    q = np.broadcast_to(as_level(p, "p"), (h.size,))
    arms = []
    for i, units in enumerate((h.control, h.treatment)):
        n = h.total(units)
        given = None if rate_variances is None else rate_variances[i]
        variance = q * (1.0 - q) / n if given is None else np.broadcast_to(given, q.shape)
        step = _SE_Z * np.sqrt(variance)
        low, high = (h.quantile(units, np.clip(q + side * step, 0.0, 1.0)) for side in (-1.0, 1.0))
        status = reasons(
            n.shape,
            [
                (n == 0, Reason.NO_EXPOSURE),
                (n < 2, Reason.INSUFFICIENT_SAMPLE),
                (~((q - step) * n >= 1.0) | ~((q + step) * n <= n), Reason.NO_INTERVAL),
                # An arm without any width has no variance at all, which is told by the comparison.
                (_lumps(h, units, q, step) & (low < high), Reason.TIES_AT_QUANTILE),
            ],
        )
        se = (high - low) / (2.0 * _SE_Z)
        value = h.quantile(units, q)
        arms.append(Estimate(n, blank(status, value), blank(status, se**2), np.full(n.shape, np.inf), status))
    return arms[0], arms[1]


def _lumps(histograms: Histograms, units: FloatArray, q: FloatArray, step: FloatArray) -> BoolArray:
    """Whether a single value holds `_LUMP` standard errors of an arm's mass or more within reach of its quantile.

    Each arm is judged alone: where the other has moved far away, the lump is still under this one's quantile.
    """
    places = np.arange(-_REACH - _LUMP / 2, _REACH + _LUMP, _LUMP / 2)
    values = np.stack([histograms.quantile(units, np.clip(q + place * step, 0.0, 1.0)) for place in places])
    found: BoolArray = (values[2:] == values[:-2]).any(axis=0)
    return found


@quiet
def quantile_difference(
    histograms: Histograms,
    p: Any,
    alpha: Any = 0.05,
    alternative: Alternative = "two-sided",
    *,
    rate_variances: tuple[FloatArray, FloatArray] | None = None,
) -> Comparison:
    """Difference of the arms' quantiles, normal test and interval on the order-statistic standard errors.

    Args:
        histograms: Value histograms of both arms.
        p: Probability of the quantile, per comparison.
        alpha: Level(s).
        alternative: ``two-sided``, ``less`` or ``greater``.
        rate_variances: As in `quantile_estimates`, for clustered rows.

    Returns:
        Comparisons with the relative lift by Fieller; status ``zero_variance`` where ties leave no width.

    Raises:
        InputError: For impossible probabilities and alpha outside (0, 1).

    Examples:
        >>> from fairsplit.analysis.statistics.histograms import Histograms
        >>> h = Histograms.from_values(list(range(1000)), list(range(100, 1100)))
        >>> quantile_difference(h, 0.9).diff
        array([100.])
    """
    control, treatment = quantile_estimates(histograms, p, rate_variances)
    return compare(control, treatment, alpha, alternative, recommended_n=100.0)


@quiet
def clustered_rate(moments: JointMoments) -> FloatArray:
    """Variance of the share of rows below a quantile when units of randomisation have many rows.

    The share is a ratio of unit totals: the delta method's variance (Deng, Knoblich and Lu 2018, eq. 4).

    Args:
        moments: Per unit: rows at most the quantile, rows; shape (..., 2).

    Returns:
        Variances, shape (...).

    Examples:
        >>> from fairsplit.analysis.statistics.moments import JointMoments
        >>> clustered_rate(JointMoments.from_values([[0.0, 2.0], [1.0, 2.0], [2.0, 2.0]])).round(4)
        np.float64(0.0833)
    """
    n = moments.n
    y, d = moments.mean[..., 0], moments.mean[..., 1]
    ratio = y / d
    m2 = moments.m2[..., 0, 0] - 2.0 * ratio * moments.m2[..., 0, 1] + ratio**2 * moments.m2[..., 1, 1]
    return np.maximum(m2, 0.0) / (n - 1.0) / n / d**2
