"""Wald's sequential probability ratio test: lines, decisions, expected sample sizes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special

from fairsplit.analysis.statistics.checks import (
    as_choice,
    as_counts,
    as_floats,
    as_level,
    as_non_negative,
    as_positive,
    refuse,
    together,
)
from fairsplit.analysis.statistics.status import Reason, blank, quiet, reasons

if TYPE_CHECKING:
    from fairsplit.analysis.statistics.checks import FloatArray, IntArray, StatusArray


class Verdict(IntEnum):
    """Where a log likelihood ratio stands."""

    CONTINUE = 0
    REJECT_NULL = 1
    ACCEPT_NULL = -1


@dataclass(frozen=True, slots=True)
class Boundaries:
    """Stop when the log likelihood ratio leaves (log_lower, log_upper)."""

    log_upper: FloatArray
    log_lower: FloatArray


@dataclass(frozen=True, slots=True)
class BernoulliLines:
    """Boundaries as lines over n: reject at successes >= slope n + h_upper, accept at <= slope n + h_lower.

    For p1 < p0 the inequalities turn round and h_upper lies below h_lower.
    """

    log_upper: FloatArray
    log_lower: FloatArray
    slope: FloatArray
    h_upper: FloatArray
    h_lower: FloatArray


@dataclass(frozen=True, slots=True)
class DecisionNumbers:
    """Cumulative successes that decide at n, whole numbers.

    Attributes:
        reject_at: The fewest (for p1 < p0 the most) successes that reject p0; out of reach at n if beyond [0,
            n].
        accept_at: The most (for p1 < p0 the fewest) successes that accept p0; out of reach if beyond [0, n].
    """

    reject_at: FloatArray
    accept_at: FloatArray


@dataclass(frozen=True, slots=True)
class NormalPath:
    """The test of mu0 against mu1 along a stream.

    Attributes:
        slope: Slope of the lines for the running sum, (mu0 + mu1) / 2.
        h_lower: Intercept of the accepting line.
        h_upper: Intercept of the rejecting line.
        llr: Running log likelihood ratio, shape (..., n).
        verdict: `Verdict` reached by each observation (a verdict once reached stays), shape (..., n).
    """

    slope: FloatArray
    h_lower: FloatArray
    h_upper: FloatArray
    llr: FloatArray
    verdict: IntArray


@dataclass(frozen=True, slots=True)
class SampleNumbers:
    """Average observations to a decision under each hypothesis."""

    asn_h0: FloatArray
    asn_h1: FloatArray


@dataclass(frozen=True, slots=True)
class RatioTest:
    """The test at a cut-off, per comparison.

    Attributes:
        llr: Log likelihood ratio; for two sides the larger of the two directions.
        log_upper: Bound to reject.
        log_lower: Bound to accept.
        verdict: `Verdict` at this cut-off.
        status: `Reason` codes: ``zero_variance``.
    """

    llr: FloatArray
    log_upper: FloatArray
    log_lower: FloatArray
    verdict: IntArray
    status: StatusArray


def sprt_boundaries(alpha: Any, beta: Any) -> Boundaries:
    """Wald's bounds log((1 - beta) / alpha) and log(beta / (1 - alpha)).

    Args:
        alpha: P(reject | H0), in (0, 1).
        beta: P(accept | H1), in (0, 1), alpha + beta < 1.

    Returns:
        Bounds of the broadcast shape.

    Raises:
        InputError: ``out_of_range``.

    Source:
        Wald (1945), Annals of Mathematical Statistics 16, 117, section 3.

    Examples:
        >>> sprt_boundaries([0.05], 0.1).log_upper.round(4)
        array([2.8904])
    """
    a, b = together({"alpha": as_level(alpha), "beta": as_level(beta, "beta")})
    if np.any(a + b >= 1):
        raise refuse("out_of_range", "errors add up to 1 or more", "alpha, beta", rule="alpha + beta < 1")
    return Boundaries(np.log1p(-b) - np.log(a), np.log(b) - np.log1p(-a))


def sprt_bernoulli(p0: Any, p1: Any, alpha: Any, beta: Any) -> BernoulliLines:
    """Lines of the test of success rate p0 against p1.

    Args:
        p0: Rate under H0, in (0, 1).
        p1: Rate under H1, in (0, 1), not p0.
        alpha: P(reject | H0).
        beta: P(accept | H1).

    Returns:
        Lines of the broadcast shape.

    Raises:
        InputError: ``out_of_range``.

    Source:
        Wald (1945), section 5.3; NIST/SEMATECH e-Handbook, section 6.2.6.

    Examples:
        >>> lines = sprt_bernoulli([0.01], 0.1, 0.05, 0.1)
        >>> lines.slope.round(4), lines.h_upper.round(3), lines.h_lower.round(3)
        (array([0.0397]), array([1.205]), array([-0.939]))
    """
    null, other = _rates(p0, p1)
    bounds = sprt_boundaries(alpha, beta)
    odds = special.logit(other) - special.logit(null)
    slope = (np.log1p(-null) - np.log1p(-other)) / odds
    log_upper, log_lower, slope, odds = together(
        {"log_upper": bounds.log_upper, "log_lower": bounds.log_lower, "slope": slope, "odds": odds}
    )
    return BernoulliLines(log_upper, log_lower, slope, log_upper / odds, log_lower / odds)


def sprt_bernoulli_decisions(p0: Any, p1: Any, alpha: Any, beta: Any, at_n: Any) -> DecisionNumbers:
    """Cumulative successes that decide after n observations.

    Args:
        p0: Rate under H0.
        p1: Rate under H1.
        alpha: P(reject | H0).
        beta: P(accept | H1).
        at_n: Observations so far, broadcastable to the others.

    Returns:
        Whole numbers of the broadcast shape.

    Raises:
        InputError: ``out_of_range``, ``not_whole``, ``negative``.

    Source:
        Wald (1945), section 5.3.

    Examples:
        >>> d = sprt_bernoulli_decisions(0.01, 0.1, 0.05, 0.1, [24, 50])
        >>> d.reject_at, d.accept_at
        (array([3., 4.]), array([0., 1.]))
    """
    lines = sprt_bernoulli(p0, p1, alpha, beta)
    n = as_counts(at_n, "at_n")
    upper = lines.slope * n + lines.h_upper
    lower = lines.slope * n + lines.h_lower
    rising = np.asarray(lines.h_upper > lines.h_lower)
    return DecisionNumbers(
        np.where(rising, np.ceil(upper), np.floor(upper)), np.where(rising, np.floor(lower), np.ceil(lower))
    )


def sprt_normal(x: Any, mu0: Any, mu1: Any, sd: Any, alpha: Any, beta: Any) -> NormalPath:
    """The test of mean mu0 against mu1 for normal values of known standard deviation, along a stream.

    Args:
        x: Values, shape (..., n).
        mu0: Mean under H0.
        mu1: Mean under H1, not mu0.
        sd: Standard deviation, above 0.
        alpha: P(reject | H0).
        beta: P(accept | H1).

    Returns:
        Lines of the parameters' shape, paths of shape (..., n).

    Raises:
        InputError: ``out_of_range``, ``not_finite``, ``shape_mismatch``.

    Source:
        Wald (1945), section 5.5.

    Examples:
        >>> r = sprt_normal([1.0, 2.0, 1.5, 2.5], 0.0, 1.0, 1.0, 0.05, 0.1)
        >>> r.llr, r.verdict
        (array([0.5, 2. , 3. , 5. ]), array([0, 0, 1, 1]))
    """
    values = as_floats(x, "x")
    if values.ndim == 0:
        raise refuse("shape_mismatch", "no axis of time", "x", rule="an array of values")
    low, high, spread = together(
        {"mu0": as_floats(mu0, "mu0"), "mu1": as_floats(mu1, "mu1"), "sd": as_positive(sd, "sd")}
    )
    if np.any(low == high):
        raise refuse("out_of_range", "hypotheses are equal", "mu1", rule="not mu0")
    bounds = sprt_boundaries(alpha, beta)
    slope = 0.5 * (low + high)
    scale = (high - low) / spread**2
    llr = np.cumsum(scale[..., None] * (values - slope[..., None]), axis=-1)
    verdict = _verdict(llr, bounds.log_upper[..., None], bounds.log_lower[..., None])
    return NormalPath(slope, bounds.log_lower / scale, bounds.log_upper / scale, llr, _first_verdict(verdict))


def sprt_asn_bernoulli(p0: Any, p1: Any, alpha: Any, beta: Any) -> SampleNumbers:
    """Average sample numbers of the test of p0 against p1, neglecting the excess over the bounds.

    Args:
        p0: Rate under H0.
        p1: Rate under H1.
        alpha: P(reject | H0).
        beta: P(accept | H1).

    Returns:
        Observations, broadcast shape.

    Raises:
        InputError: ``out_of_range``.

    Source:
        Wald (1945), section 4.

    Examples:
        >>> sprt_asn_bernoulli([0.01], 0.1, 0.05, 0.1).asn_h1.round(1)
        array([16.4])
    """
    null, other = _rates(p0, p1)
    win = np.log(other) - np.log(null)
    loss = np.log1p(-other) - np.log1p(-null)
    return _sample_numbers(null * win + (1.0 - null) * loss, other * win + (1.0 - other) * loss, alpha, beta)


def sprt_asn_normal(mu0: Any, mu1: Any, sd: Any, alpha: Any, beta: Any) -> SampleNumbers:
    """Average sample numbers of the normal test, neglecting the excess over the bounds.

    Args:
        mu0: Mean under H0.
        mu1: Mean under H1, not mu0.
        sd: Standard deviation, above 0.
        alpha: P(reject | H0).
        beta: P(accept | H1).

    Returns:
        Observations, broadcast shape.

    Raises:
        InputError: ``out_of_range``, ``not_finite``.

    Source:
        Wald (1945), section 4.

    Examples:
        >>> sprt_asn_normal([0.0], 0.5, 1.0, 0.05, 0.1).asn_h0.round(1)
        array([16.])
    """
    low, high, spread = together(
        {"mu0": as_floats(mu0, "mu0"), "mu1": as_floats(mu1, "mu1"), "sd": as_positive(sd, "sd")}
    )
    if np.any(low == high):
        raise refuse("out_of_range", "hypotheses are equal", "mu1", rule="not mu0")
    half = 0.5 * ((high - low) / spread) ** 2
    return _sample_numbers(-half, half, alpha, beta)


@quiet
def sprt_comparison(
    estimate: Any, std_error: Any, effect: Any, alpha: Any = 0.05, beta: Any = 0.2, *, sides: int = 2
) -> RatioTest:
    """The test of no effect against a planned effect for comparisons at a cut-off.

    The estimate is taken as normal with the standard error it has, so that
    llr = (effect estimate - effect^2 / 2) / std_error^2. For two sides the tests against +effect and -effect
    run beside each other at alpha / 2 each: reject if one rejects, accept if both accept.

    Args:
        estimate: Effects, any shape.
        std_error: Their standard errors.
        effect: Effect under H1, not 0 (its sign counts for one side).
        alpha: P(reject | no effect).
        beta: P(accept | effect).
        sides: 2 or 1.

    Returns:
        Arrays of the broadcast shape.

    Raises:
        InputError: ``not_finite``, ``negative``, ``out_of_range``, ``unknown_choice``.

    Source:
        Wald (1945); Sobel and Wald (1949), Annals of Mathematical Statistics 20, 502, for two sides.

    Examples:
        >>> sprt_comparison([0.0, 0.1, 0.2], 0.05, 0.2).verdict
        array([-1,  0,  1])
    """
    as_choice(str(sides), "sides", ("1", "2"))
    level = as_level(alpha) / sides
    bounds = sprt_boundaries(level, beta)
    est, se, planned, upper, lower = together(
        {
            "estimate": as_floats(estimate, "estimate"),
            "std_error": as_non_negative(std_error, "std_error"),
            "effect": as_floats(effect, "effect"),
            "alpha": bounds.log_upper,
            "beta": bounds.log_lower,
        }
    )
    if np.any(planned == 0):
        raise refuse("out_of_range", "hypotheses are equal", "effect", value=0, rule="not 0")
    status = reasons(est.shape, [(se == 0, Reason.ZERO_VARIANCE)])
    information = 1.0 / np.where(se > 0, se, 1.0) ** 2
    toward = planned * est if sides == 1 else np.abs(planned * est)
    llr = (toward - 0.5 * planned * planned) * information
    verdict = np.where(status == Reason.OK, _verdict(llr, upper, lower), Verdict.CONTINUE)
    return RatioTest(blank(status, llr), upper, lower, verdict.astype(np.int64), status)


def _rates(p0: Any, p1: Any) -> tuple[FloatArray, FloatArray]:
    null, other = together({"p0": as_level(p0, "p0"), "p1": as_level(p1, "p1")})
    if np.any(null == other):
        raise refuse("out_of_range", "hypotheses are equal", "p1", rule="not p0")
    return null, other


def _verdict(llr: FloatArray, upper: FloatArray, lower: FloatArray) -> IntArray:
    return np.where(llr >= upper, Verdict.REJECT_NULL, np.where(llr <= lower, Verdict.ACCEPT_NULL, 0))


def _first_verdict(verdict: IntArray) -> IntArray:
    """Carry the first decision forward along the last axis."""
    decided = verdict != Verdict.CONTINUE
    first = np.argmax(decided, axis=-1)[..., None]
    reached = np.arange(verdict.shape[-1]) >= first
    held = np.take_along_axis(verdict, first, axis=-1)
    return np.where(decided.any(axis=-1, keepdims=True) & reached, held, Verdict.CONTINUE)


def _sample_numbers(drift0: FloatArray, drift1: FloatArray, alpha: Any, beta: Any) -> SampleNumbers:
    bounds = sprt_boundaries(alpha, beta)
    a, b = as_level(alpha), as_level(beta, "beta")
    h0 = ((1.0 - a) * bounds.log_lower + a * bounds.log_upper) / drift0
    h1 = (b * bounds.log_lower + (1.0 - b) * bounds.log_upper) / drift1
    return SampleNumbers(np.asarray(h0, dtype=np.float64), np.asarray(h1, dtype=np.float64))
