"""Two proportions: Welch and Fieller where events abound, the score test with its intervals where not."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.statistics.checks import as_level, as_successes, together
from analysis.statistics.comparisons import Comparison, Estimate, compare, conclude, mean_estimate
from analysis.statistics.lifts import Lift, Pair, log_delta
from analysis.statistics.moments import Moments
from analysis.statistics.score import difference_interval, ratio_interval
from analysis.statistics.status import Reason, blank, combined, quiet, reasons
from analysis.statistics.tails import infer, t_quantile

if TYPE_CHECKING:
    from collections.abc import Callable

    from analysis.statistics.checks import BoolArray, FloatArray, StatusArray
    from analysis.statistics.lifts import LiftMethod
    from analysis.statistics.tails import Alternative

#: Expected events (and non-events) per arm from which unit values are close enough to normal.
ENOUGH_EVENTS = 30.0
#: Expected events per arm that textbooks ask of the pooled z-test.
Z_TEST_EVENTS = 5.0


@dataclass(frozen=True, slots=True, eq=False)
class ProportionTest:
    """A comparison of proportions with the rule that chose its method.

    Attributes:
        comparison: Difference, test, intervals, lift.
        score_used: True where the score test with Miettinen-Nurminen intervals was used.
        expected_events: The smallest expected count of events or non-events in an arm under the pooled rate.
    """

    comparison: Comparison
    score_used: BoolArray
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
    """The default for proportions: Welch's t on unit values, the score test where an arm expects under 30.

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
        >>> r = compare_proportions([1, 1000], [50, 10000], [8, 1100], [52, 10000])
        >>> r.score_used
        array([ True, False])
        >>> r.comparison.p_value.round(4)
        array([0.0178, 0.0211])
    """
    counts, level = _Counts.checked(x_c, n_c, x_t, n_t), as_level(alpha)
    c, t = counts.arms()
    result = compare(mean_estimate(c), mean_estimate(t), level, alternative, relative=relative)
    shape = result.status.shape
    expected = np.broadcast_to(counts.expected, shape)
    few = np.asarray(expected < ENOUGH_EVENTS)
    if few.any():
        given = (np.broadcast_to(v, shape)[few] for v in (counts.x_c, counts.n_c, counts.x_t, counts.n_t))
        a, b, d, e = given
        score = score_test(a, b, d, e, alpha=np.broadcast_to(level, shape)[few], alternative=alternative)
        result = _overlaid(result, score, few)
    return ProportionTest(result, few, expected)


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
