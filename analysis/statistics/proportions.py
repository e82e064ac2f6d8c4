"""Two proportions: Welch and Fieller where events abound; where not, the score or the exact test, with intervals."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special

from fairsplit.analysis.statistics.checks import as_choice, as_level, as_successes, together
from fairsplit.analysis.statistics.comparisons import Comparison, Estimate, compare, conclude, mean_estimate
from fairsplit.analysis.statistics.fisher import fisher_tails
from fairsplit.analysis.statistics.lifts import Lift, Pair, log_delta
from fairsplit.analysis.statistics.melded import melded_interval
from fairsplit.analysis.statistics.moments import Moments
from fairsplit.analysis.statistics.normality import UNITS_PER_SKEWNESS, difference_skewness, rate_skewness
from fairsplit.analysis.statistics.score import difference_interval, ratio_interval
from fairsplit.analysis.statistics.status import Reason, blank, combined, quiet, reasons
from fairsplit.analysis.statistics.tails import ALTERNATIVES, infer, t_quantile

if TYPE_CHECKING:
    from collections.abc import Callable

    from fairsplit.analysis.statistics.checks import BoolArray, FloatArray, StatusArray
    from fairsplit.analysis.statistics.lifts import LiftMethod
    from fairsplit.analysis.statistics.tails import Alternative

#: Expected events (and non-events) per arm from which unit values are close enough to normal.
ENOUGH_EVENTS = 30.0
#: Skewness of the difference from which Welch's two tails drift apart: here its size at a level of .001 is .0011.
SLIGHT_SKEW = 1.0 / 30.0
#: Skewness up to which the score test, whose tails drift the less, keeps its level for any split: that of Kohavi and
#: others' rule (2014), 355 units per squared skewness, asked of the difference instead of one arm.
LARGEST_SKEW = 1.0 / np.sqrt(UNITS_PER_SKEWNESS)
#: Units of the larger arm per unit of the smaller up to which the score test keeps its level at any rate.
NEARLY_EQUAL = 2.0
#: Expected events per arm that textbooks ask of the pooled z-test.
Z_TEST_EVENTS = 5.0
#: An end keeps at most this share beyond it, also where the level asks for half of all.
_LARGEST_TAIL = 0.4999
_LOG_HALF = float(np.log(0.5))


@dataclass(frozen=True, slots=True, eq=False)
class ProportionTest:
    """A comparison of proportions with the rule that chose its method.

    Attributes:
        comparison: Difference, test, intervals, lift.
        score_used: True where the score test with Miettinen-Nurminen intervals was used.
        exact_used: True where Fisher's exact test with melded intervals was used.
        expected_events: The smallest expected count of events or non-events in an arm under the pooled rate.
    """

    comparison: Comparison
    score_used: BoolArray
    exact_used: BoolArray
    expected_events: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class _Counts:
    x_c: FloatArray
    n_c: FloatArray
    x_t: FloatArray
    n_t: FloatArray

    @classmethod
    def checked(cls, x_c: Any, n_c: Any, x_t: Any, n_t: Any) -> _Counts:
        xc, nc = as_successes(x_c, n_c, "x_c", "n_c")
        xt, nt = as_successes(x_t, n_t, "x_t", "n_t")
        return cls(*together({"x_c": xc, "n_c": nc, "x_t": xt, "n_t": nt}))

    @property
    def pooled(self) -> FloatArray:
        return (self.x_c + self.x_t) / np.maximum(self.n_c + self.n_t, 1.0)

    @property
    def expected(self) -> FloatArray:
        rate = self.pooled
        return np.minimum(self.n_c, self.n_t) * np.minimum(rate, 1.0 - rate)

    @property
    def skewness(self) -> FloatArray:
        """Of the difference under the pooled rate: equal arms cancel it, unequal ones do not."""
        return difference_skewness(rate_skewness(self.pooled), self.n_c, self.n_t)

    @property
    def rare(self) -> BoolArray:
        """Whether only the exact test keeps its level."""
        unequal = np.maximum(self.n_c, self.n_t) > NEARLY_EQUAL * np.minimum(self.n_c, self.n_t)
        return np.asarray(unequal & (self.skewness > LARGEST_SKEW))

    def arms(self) -> tuple[Moments, Moments]:
        return Moments.from_binomial(self.x_c, self.n_c), Moments.from_binomial(self.x_t, self.n_t)

    def status(self, shape: tuple[int, ...]) -> StatusArray:
        rate = self.pooled
        return reasons(
            shape,
            [
                ((self.n_c == 0) | (self.n_t == 0), Reason.NO_EXPOSURE),
                ((rate == 0) | (rate == 1), Reason.ZERO_VARIANCE),
            ],
        )


@quiet
def two_proportion_z(
    x_c: Any, n_c: Any, x_t: Any, n_t: Any, *, alpha: Any = 0.05, alternative: Alternative = "two-sided"
) -> Comparison:
    """The textbook z-test: pooled variance in the test, unpooled (Wald) interval, no continuity correction.

    Test and interval can disagree near the level; `compare_proportions` is the default for decisions.

    Args:
        x_c: Successes of the control, shape (...).
        n_c: Units of the control.
        x_t: Successes of the treatment.
        n_t: Units of the treatment.
        alpha: Level(s).
        alternative: ``two-sided``, ``less`` or ``greater``.

    Returns:
        Comparisons; `statistic` is the pooled z, `se` the unpooled standard error, the lift's interval is the
        log risk ratio's (normal quantile); `adequate` from 5 expected events and non-events per arm.

    Raises:
        InputError: For impossible counts, alpha outside (0, 1) and unknown words.

    Examples:
        >>> r = two_proportion_z(104, 11037, 189, 11034)
        >>> round(r.statistic.item(), 6), round(r.ci_low.item(), 6)
        (5.001388, 0.004688)
    """
    counts, level = _Counts.checked(x_c, n_c, x_t, n_t), as_level(alpha)
    c, t = counts.arms()
    rate = counts.pooled
    diff = t.mean - c.mean
    pooled_se = np.sqrt(rate * (1.0 - rate) * (1.0 / counts.n_c + 1.0 / counts.n_t))
    v_c, v_t = (m.mean * (1.0 - m.mean) / m.n for m in (c, t))
    infinite = np.full(diff.shape, np.inf)
    test = infer(diff, pooled_se, infinite, level, alternative)
    shape = np.broadcast_shapes(diff.shape, level.shape)
    status = counts.status(shape)
    zero = np.zeros(diff.shape, dtype=np.int8)
    pair = Pair(diff, c.mean, v_c + v_t, v_c, -v_c)
    lift = log_delta(pair, infinite, level, alternative)
    wald = conclude(
        (Estimate(c.n, c.mean, v_c, infinite, zero), Estimate(t.n, t.mean, v_t, infinite, zero)),
        pair,
        infinite,
        level,
        status,
        alternative=alternative,
        lift=lift,
    )
    return _with(
        wald,
        statistic=blank(status, np.broadcast_to(test.statistic, shape)),
        p_value=blank(status, np.broadcast_to(test.p_value, shape)),
        log_p=blank(status, np.broadcast_to(test.log_p, shape)),
        adequate=np.broadcast_to(counts.expected >= Z_TEST_EVENTS, shape),
    )


@quiet
def score_test(
    x_c: Any, n_c: Any, x_t: Any, n_t: Any, *, alpha: Any = 0.05, alternative: Alternative = "two-sided"
) -> Comparison:
    """Score test with the Miettinen-Nurminen intervals of difference and ratio that invert it (1985).

    Variance under the null's restricted maximum likelihood, times N / (N - 1). At a difference of 0 and at a
    ratio of 1 the statistic is the same, so test, absolute and relative interval always agree.

    Args:
        x_c: Successes of the control, shape (...).
        n_c: Units of the control.
        x_t: Successes of the treatment.
        n_t: Units of the treatment.
        alpha: Level(s).
        alternative: ``two-sided``, ``less`` or ``greater``.

    Returns:
        Comparisons; the lift is unbounded above where the control has no success.

    Raises:
        InputError: For impossible counts, alpha outside (0, 1) and unknown words.

    Examples:
        >>> r = score_test(1, 50, 8, 52)
        >>> round(r.p_value.item(), 4), round(r.ci_low.item(), 4), round(r.ci_high.item(), 4)
        (0.0178, 0.0288, 0.2592)
    """
    counts, level = _Counts.checked(x_c, n_c, x_t, n_t), as_level(alpha)
    c, t = counts.arms()
    rate = counts.pooled
    total = counts.n_c + counts.n_t
    diff = t.mean - c.mean
    se = np.sqrt(rate * (1.0 - rate) * (1.0 / counts.n_c + 1.0 / counts.n_t) * total / (total - 1.0))
    infinite = np.full(diff.shape, np.inf)
    test = infer(diff, se, infinite, level, alternative)
    shape = np.broadcast_shapes(diff.shape, level.shape)
    status = counts.status(shape)
    quantile = np.broadcast_to(test.quantile, shape)
    given = tuple(np.broadcast_to(v, shape) for v in (counts.x_c, counts.n_c, counts.x_t, counts.n_t))
    low, high = difference_interval(*given, quantile=quantile, wanted=status == Reason.OK)
    ratio_low, ratio_high = ratio_interval(*given, quantile=quantile, wanted=status == Reason.OK)
    if alternative == "greater":
        high, ratio_high = np.ones(shape), np.full(shape, np.inf)
    elif alternative == "less":
        low, ratio_low = -np.ones(shape), np.zeros(shape)
    lift_status = combined(status, reasons(shape, [(c.mean == 0, Reason.ZERO_BASELINE)]))
    nothing = np.full(shape, np.nan)
    rel = Lift(
        blank(lift_status, np.broadcast_to(diff / c.mean, shape)),
        nothing,
        blank(lift_status, ratio_low - 1.0),
        blank(lift_status, ratio_high - 1.0),
        np.asarray(np.isfinite(ratio_high) & (lift_status == Reason.OK)),
        nothing,
        nothing,
        nothing,
        lift_status,
    )
    zero = np.zeros(diff.shape, dtype=np.int8)
    arms = (Estimate(c.n, c.mean, se**2, infinite, zero), Estimate(t.n, t.mean, se**2, infinite, zero))
    result = conclude(
        arms,
        Pair(diff, c.mean, se**2, se**2, -(se**2)),
        infinite,
        level,
        status,
        alternative=alternative,
        lift=rel,
    )
    return _with(
        result,
        ci_low=blank(status, low),
        ci_high=blank(status, high),
        adequate=np.broadcast_to(np.minimum(counts.n_c, counts.n_t) >= 10, shape),
    )


@quiet
def exact_test(
    x_c: Any, n_c: Any, x_t: Any, n_t: Any, *, alpha: Any = 0.05, alternative: Alternative = "two-sided"
) -> Comparison:
    """Fisher's exact test, with melded mid-p intervals of difference and ratio brought into agreement with it.

    Its size is at most alpha at every rate and every split of the arms, also where one event in the smaller arm would
    be many standard errors. The intervals are those of `melded_interval` at the level alpha * (mid-p / p), so that
    they leave out 0 (and 1) exactly where p < alpha.

    Args:
        x_c: Successes of the control, shape (...).
        n_c: Units of the control.
        x_t: Successes of the treatment.
        n_t: Units of the treatment.
        alpha: Level(s).
        alternative: ``two-sided`` (outcomes no likelier than the observed one), ``less`` or ``greater``.

    Returns:
        Comparisons; `statistic` is the normal deviate of the p-value with the difference's sign, `se` the score test's.

    Raises:
        InputError: For impossible counts, alpha outside (0, 1) and unknown words.

    Examples:
        >>> r = exact_test(2, 90000, 5, 10000)
        >>> f"{r.p_value.item():.3e} {r.ci_low.item():.6f} {r.ci_high.item():.6f}"
        '1.764e-04 0.000152 0.001077'
    """
    as_choice(alternative, "alternative", ALTERNATIVES)
    counts, level = _Counts.checked(x_c, n_c, x_t, n_t), as_level(alpha)
    shape = np.broadcast_shapes(counts.x_c.shape, level.shape)
    status = counts.status(shape)
    at = np.flatnonzero(status == Reason.OK)
    given = [
        np.broadcast_to(v, shape).reshape(-1)[at] for v in (counts.x_c, counts.n_c, counts.x_t, counts.n_t)
    ]
    xc, nc, xt, nt = given
    found = fisher_tails(xc, nc, xt, nt)
    half = _LOG_HALF + found.log_point
    mid_upper, mid_lower = (_log_difference(v, half) for v in (found.log_upper, found.log_lower))
    if alternative == "two-sided":
        log_p, log_mid = found.log_two_sided, np.minimum(mid_upper, mid_lower) - _LOG_HALF
    else:
        greater = alternative == "greater"
        log_p, log_mid = (found.log_upper, mid_upper) if greater else (found.log_lower, mid_lower)
    beyond = np.broadcast_to(level, shape).reshape(-1)[at] * np.exp(log_mid - log_p)
    beyond = np.minimum(0.5 * beyond if alternative == "two-sided" else beyond, _LARGEST_TAIL)
    difference, ratio = melded_interval(xc, nc, xt, nt, (beyond, beyond))
    low, high, ratio_low, ratio_high, p, log, z = (np.full(shape, np.nan).reshape(-1) for _ in range(7))
    low[at], high[at], ratio_low[at], ratio_high[at] = *difference, *ratio
    p[at], log[at] = np.exp(log_p), log_p
    sided = log_p + (_LOG_HALF if alternative == "two-sided" else 0.0)
    diff = xt / nt - xc / nc
    size = -special.ndtri_exp(sided)
    z[at] = (
        np.copysign(size, diff)
        if alternative == "two-sided"
        else (size if alternative == "greater" else -size)
    )
    ends = [v.reshape(shape) for v in (low, high, ratio_low, ratio_high)]
    return _with_ends(
        score_test(x_c, n_c, x_t, n_t, alpha=alpha, alternative=alternative),
        ends,
        alternative,
        p_value=p.reshape(shape),
        log_p=log.reshape(shape),
        statistic=z.reshape(shape),
        adequate=np.ones(shape, dtype=np.bool_),
    )


def _log_difference(larger: FloatArray, smaller: FloatArray) -> FloatArray:
    return np.asarray(larger + np.log1p(-np.exp(smaller - larger)))


def _with_ends(
    comparison: Comparison, ends: list[FloatArray], alternative: Alternative, **changes: Any
) -> Comparison:
    low, high, ratio_low, ratio_high = ends
    # A wide level's interval may end beside the estimate; it always holds it.
    low, high = np.minimum(low, comparison.diff), np.maximum(high, comparison.diff)
    lift = comparison.rel
    rel_low, rel_high = np.minimum(ratio_low - 1.0, lift.value), np.maximum(ratio_high - 1.0, lift.value)
    if alternative == "greater":
        high, rel_high = comparison.ci_high, np.full_like(rel_high, np.inf)
    elif alternative == "less":
        low, rel_low = comparison.ci_low, np.full_like(rel_low, -1.0)
    rel = replace(
        lift,
        low=blank(lift.status, rel_low),
        high=blank(lift.status, rel_high),
        bounded=np.asarray(np.isfinite(rel_high) & (lift.status == Reason.OK)),
    )
    return replace(
        comparison,
        ci_low=blank(comparison.status, low),
        ci_high=blank(comparison.status, high),
        rel=rel,
        **changes,
    )


@quiet
def is_rare(x_c: Any, n_c: Any, x_t: Any, n_t: Any) -> BoolArray:
    """Whether events are so few in arms so unequal that only the exact test keeps its level.

    Args:
        x_c: Successes of the control, shape (...).
        n_c: Units of the control.
        x_t: Successes of the treatment.
        n_t: Units of the treatment.

    Returns:
        False where an arm has no unit.

    Raises:
        InputError: For impossible counts.

    Examples:
        >>> is_rare([2, 200, 2], [90000, 90000, 10000], [5, 30, 5], [10000, 10000, 10000])
        array([ True,  True, False])
    """
    return _Counts.checked(x_c, n_c, x_t, n_t).rare


@quiet
def compare_proportions(
    x_c: Any,
    n_c: Any,
    x_t: Any,
    n_t: Any,
    *,
    alpha: Any = 0.05,
    alternative: Alternative = "two-sided",
    relative: LiftMethod = "fieller",
) -> ProportionTest:
    """The default for proportions: Welch's t on unit values where events abound in both arms.

    Few events are fewer than 30 expected ones in the smaller arm, or so few beside the arms' inequality that the
    difference is skewed. Then arms of at most 2 to 1 and slight skews get the score test, the others the exact test:
    with 99 to 1 the score test rejects up to 29 times as often as it says at a level of .001.

    Args:
        x_c: Successes of the control, shape (...).
        n_c: Units of the control.
        x_t: Successes of the treatment.
        n_t: Units of the treatment.
        alpha: Level(s).
        alternative: ``two-sided``, ``less`` or ``greater``.
        relative: Interval of the relative lift where Welch is used.

    Returns:
        Comparisons and which method each used. Each method's p-value, absolute and relative interval agree.

    Raises:
        InputError: For impossible counts, alpha outside (0, 1) and unknown words.

    Examples:
        >>> r = compare_proportions([1, 1000, 0], [50, 10000, 9900], [8, 1100, 1], [52, 10000, 100])
        >>> r.score_used, r.exact_used
        (array([ True, False, False]), array([False, False,  True]))
        >>> r.comparison.p_value.round(4)
        array([0.0178, 0.0211, 0.01  ])
    """
    counts, level = _Counts.checked(x_c, n_c, x_t, n_t), as_level(alpha)
    c, t = counts.arms()
    result = compare(mean_estimate(c), mean_estimate(t), level, alternative, relative=relative)
    shape = result.status.shape
    expected = np.broadcast_to(counts.expected, shape)
    # No unit of one arm and every unit of the other: neither varies, and the score test is right about them.
    opposite = (t.m2 == 0) & (c.m2 == 0) & (t.mean != c.mean)
    few = np.broadcast_to((expected < ENOUGH_EVENTS) | (counts.skewness > SLIGHT_SKEW) | opposite, shape)
    level = np.broadcast_to(level, shape)
    given = [np.broadcast_to(v, shape) for v in (counts.x_c, counts.n_c, counts.x_t, counts.n_t)]
    rare = np.broadcast_to(counts.rare, shape)
    for mask, test in ((few & ~rare, score_test), (rare, exact_test)):
        if mask.any():
            part = test(*(v[mask] for v in given), alpha=level[mask], alternative=alternative)
            result = _overlaid(result, part, mask)
    return ProportionTest(result, few & ~rare, rare, expected)


def _overlaid(base: Comparison, part: Comparison, mask: BoolArray) -> Comparison:
    def put(a: Any, b: Any) -> Any:
        out = np.array(a)
        out[mask] = b
        return out

    changed: dict[str, Any] = {
        f.name: put(getattr(base, f.name), getattr(part, f.name))
        for f in fields(Comparison)
        if f.name != "rel"
    }
    lift = Lift(*(put(getattr(base.rel, f.name), getattr(part.rel, f.name)) for f in fields(Lift)))
    return Comparison(rel=lift, **changed)


def _with(comparison: Comparison, **changes: Any) -> Comparison:
    make: Callable[..., Comparison] = Comparison
    return make(**{f.name: changes.get(f.name, getattr(comparison, f.name)) for f in fields(Comparison)})


@quiet
def log_risk_ratio(x_c: Any, n_c: Any, x_t: Any, n_t: Any, *, alpha: Any = 0.05) -> Lift:
    """Relative lift by the log risk ratio, se^2 = 1/x_t - 1/n_t + 1/x_c - 1/n_c, normal quantile.

    Args:
        x_c: Successes of the control, shape (...).
        n_c: Units of the control.
        x_t: Successes of the treatment.
        n_t: Units of the treatment.
        alpha: Level(s).

    Returns:
        Lifts whose `se` is the log ratio's; status ``not_positive`` where an arm has no success.

    Raises:
        InputError: For impossible counts and alpha outside (0, 1).

    Examples:
        >>> r = log_risk_ratio(104, 11037, 189, 11034)
        >>> r.low.round(3), r.high.round(3)
        (np.float64(0.433), np.float64(1.306))
    """
    counts, level = _Counts.checked(x_c, n_c, x_t, n_t), as_level(alpha)
    c, t = counts.arms()
    se = np.sqrt((1.0 - t.mean) / counts.x_t + (1.0 - c.mean) / counts.x_c)
    quantile = t_quantile(level / 2.0, np.array(np.inf))
    log_ratio = np.log(t.mean) - np.log(c.mean)
    shape = np.broadcast_shapes(log_ratio.shape, level.shape)
    status = reasons(
        shape,
        [
            ((counts.n_c == 0) | (counts.n_t == 0), Reason.NO_EXPOSURE),
            (counts.x_c == 0, Reason.ZERO_BASELINE),
            (counts.x_t == 0, Reason.NOT_POSITIVE),
        ],
    )
    nothing = np.full(shape, np.nan)

    def full(values: FloatArray) -> FloatArray:
        return blank(status, np.broadcast_to(values, shape))

    return Lift(
        full((t.mean - c.mean) / c.mean),
        full(se),
        full(np.expm1(log_ratio - quantile * se)),
        full(np.expm1(log_ratio + quantile * se)),
        np.asarray(status == Reason.OK),
        nothing,
        nothing,
        nothing,
        status,
    )
