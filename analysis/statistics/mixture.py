"""Mixtures of likelihood ratios: the normal mixture of Howard et al. and the mixture SPRT of Johari et al."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special

from fairsplit.analysis.statistics.checks import (
    as_floats,
    as_level,
    as_non_negative,
    as_positive,
    as_rates,
    refuse,
    together,
)
from fairsplit.analysis.statistics.status import Reason, blank, quiet, reasons

if TYPE_CHECKING:
    from fairsplit.analysis.statistics.checks import FloatArray, StatusArray

_NEWTON_STEPS = 100


@dataclass(frozen=True, slots=True)
class MixtureRatio:
    """Evidence against one effect, mixed over normal alternatives.

    Attributes:
        ratio: Lambda, the mixture likelihood ratio; infinite where only its logarithm fits a float.
        log_ratio: Natural logarithm of Lambda.
        p_value: min(1, 1 / Lambda), always-valid; take its running minimum over looks.
        low: Lower end of the interval of effects with 1 / Lambda above alpha.
        high: Upper end.
        status: `Reason` codes: ``zero_variance``.
    """

    ratio: FloatArray
    log_ratio: FloatArray
    p_value: FloatArray
    low: FloatArray
    high: FloatArray
    status: StatusArray


@dataclass(frozen=True, slots=True)
class MixturePath:
    """The mixture SPRT along paired streams, shape (..., pairs).

    Attributes:
        ratio: Lambda_n; NaN where the plug-in variance is still 0.
        log_ratio: Its natural logarithm.
        always_valid_p: min over k <= n of min(1, 1 / Lambda_k); NaN before the first Lambda.
    """

    ratio: FloatArray
    log_ratio: FloatArray
    always_valid_p: FloatArray


def best_rho(v_opt: Any, alpha_opt: Any = 0.05, *, one_sided: bool = False) -> FloatArray:
    """The mixture precision rho for which the boundary is nearly the tightest at intrinsic time v_opt.

    Args:
        v_opt: Intrinsic time (sum of variances), above 0.
        alpha_opt: Error to tune for, in (0, 1); below 1/2 for one side, which is tuned at twice alpha.
        one_sided: Which mixture.

    Returns:
        rho = v / (2 log(1/a) + log(1 + 2 log(1/a))), broadcast shape, in units of v.

    Raises:
        InputError: ``out_of_range``.

    Source:
        Howard, Ramdas, McAuliffe and Sekhon (2021), Annals of Statistics 49, 1055, section 3.5.

    Examples:
        >>> best_rho([100.0]).round(4)
        array([12.6006])
    """
    level = as_level(alpha_opt, "alpha_opt")
    if one_sided:
        level = as_level(2.0 * level, "2 alpha_opt")
    evidence = -2.0 * np.log(level)
    return np.asarray(as_positive(v_opt, "v_opt") / (evidence + np.log1p(evidence)), dtype=np.float64)


def log_mixture(s: Any, v: Any, rho: Any, *, one_sided: bool = False) -> FloatArray:
    """Logarithm of the normal mixture supermartingale at sum s and intrinsic time v.

    Args:
        s: Sum of deviations from the null.
        v: Intrinsic time, at least 0.
        rho: Precision of the mixing normal, above 0.
        one_sided: Mix over positive alternatives only.

    Returns:
        Broadcast shape.

    Raises:
        InputError: ``negative``, ``out_of_range``, ``not_finite``.

    Source:
        Howard et al. (2021), propositions 5 (two sides) and 6 (one side).

    Examples:
        >>> log_mixture([30.0], 100.0, 12.6).round(3)
        array([2.901])
    """
    total, time, precision = together(
        {"s": as_floats(s, "s"), "v": as_non_negative(v, "v"), "rho": as_positive(rho, "rho")}
    )
    spread = time + precision
    shared = 0.5 * np.log(precision / spread) + total * total / (2.0 * spread)
    if not one_sided:
        return np.asarray(shared, dtype=np.float64)
    return np.asarray(shared + np.log(2.0) + special.log_ndtr(total / np.sqrt(spread)), dtype=np.float64)


def mixture_bound(v: Any, rho: Any, alpha: Any = 0.05, *, one_sided: bool = False) -> FloatArray:
    """The sum that a mean-zero process exceeds, at any time, with probability at most alpha.

    Args:
        v: Intrinsic time, at least 0.
        rho: Precision of the mixing normal, above 0.
        alpha: Error; for two sides that of both together.
        one_sided: Which mixture.

    Returns:
        Bound on s (on |s| for two sides), broadcast shape.

    Raises:
        InputError: ``negative``, ``out_of_range``.

    Source:
        Howard et al. (2021), propositions 5 and 6 (the latter inverted numerically).

    Examples:
        >>> mixture_bound([100.0], 12.6).round(3), mixture_bound([100.0], 12.6, one_sided=True).round(3)
        (array([30.352]), array([27.68]))
    """
    time, precision, level = together(
        {"v": as_non_negative(v, "v"), "rho": as_positive(rho, "rho"), "alpha": as_level(alpha)}
    )
    goal = -np.log(level)
    spread = time + precision
    bound = np.sqrt(spread * (np.log1p(time / precision) + 2.0 * goal))
    if not one_sided:
        return np.asarray(bound, dtype=np.float64)
    # the log mixture is convex and rises, the two-sided bound lies to the right of the root: Newton comes
    # down on it
    root = np.sqrt(spread)
    moving = np.ones(bound.shape, dtype=np.bool_)
    for _ in range(_NEWTON_STEPS):
        x = bound / root
        inverse_mills = np.exp(-0.5 * x * x - special.log_ndtr(x)) / np.sqrt(2.0 * np.pi)
        slope = (x + inverse_mills) / root
        change = (log_mixture(bound, time, precision, one_sided=True) - goal) / slope
        bound = np.where(moving, bound - change, bound)
        moving = moving & (np.abs(change) > 1e-13 * np.abs(bound))
        if not moving.any():
            break
    return np.asarray(bound, dtype=np.float64)


@quiet
def mixture_ratio(
    estimate: Any, std_error: Any, tau: Any, *, null: Any = 0.0, alpha: Any = 0.05
) -> MixtureRatio:
    """The mixture SPRT for comparisons at a cut-off, from estimates and standard errors.

    Args:
        estimate: Effects, any shape.
        std_error: Their standard errors.
        tau: Standard deviation of the mixing normal, above 0, in units of the effect.
        null: Effect under the null hypothesis, the centre of the mixture.
        alpha: Error of the interval.

    Returns:
        Arrays of the broadcast shape. The p-value is at most alpha exactly when the interval leaves out
        `null`.

    Raises:
        InputError: ``not_finite``, ``negative``, ``out_of_range``.

    Source:
        Johari, Koomen, Pekelis and Walsh (2022), Operations Research 70, 1806.

    Examples:
        >>> r = mixture_ratio([0.5], 0.1, 0.3)
        >>> r.log_ratio.round(3), r.low.round(3)
        (array([10.099]), array([0.196]))
    """
    est, se, spread, centre, level = together(
        {
            "estimate": as_floats(estimate, "estimate"),
            "std_error": as_non_negative(std_error, "std_error"),
            "tau": as_positive(tau, "tau"),
            "null": as_floats(null, "null"),
            "alpha": as_level(alpha),
        }
    )
    status = reasons(est.shape, [(se == 0, Reason.ZERO_VARIANCE)])
    safe = np.where(se > 0, se, 1.0)
    log_ratio = _log_ratio(est - centre, safe * safe, spread)
    # solve _log_ratio = log(1 / alpha) for the distance
    growth = np.log1p((spread / safe) ** 2)
    margin = safe * np.sqrt((1.0 + (safe / spread) ** 2) * (growth - 2.0 * np.log(level)))
    return MixtureRatio(
        ratio=blank(status, np.exp(log_ratio)),
        log_ratio=blank(status, log_ratio),
        p_value=blank(status, np.exp(-np.maximum(log_ratio, 0.0))),
        low=blank(status, est - margin),
        high=blank(status, est + margin),
        status=status,
    )


@quiet
def msprt_normal(x: Any, y: Any, sigma: Any, tau: Any, theta0: Any = 0.0) -> MixturePath:
    """The mixture SPRT of the difference x - y along paired normal streams of known variance.

    Args:
        x: Values, shape (..., pairs).
        y: Values of the same shape.
        sigma: Standard deviation of a value, above 0; the variance of a pair is V = 2 sigma^2.
        tau: Standard deviation of the mixture N(theta0, tau^2), above 0.
        theta0: Difference under the null hypothesis.

    Returns:
        Paths of shape (..., pairs).

    Raises:
        InputError: ``not_finite``, ``out_of_range``, ``shape_mismatch``.

    Source:
        Johari et al. (2022), the mixture test for normal data:
        Lambda_n = sqrt(V / (V + n tau^2)) exp(n^2 tau^2 (mean - theta0)^2 / (2 V (V + n tau^2))).

    Examples:
        >>> msprt_normal([1.0, 2.0], [0.0, 0.5], 1.0, 1.0).ratio.round(4)
        array([0.8875, 1.045 ])
    """
    difference, n = _paired(as_floats(x, "x"), as_floats(y, "y"))
    mean = np.cumsum(difference, axis=-1) / n
    variance = 2.0 * as_positive(sigma, "sigma") ** 2
    return _path(mean - as_floats(theta0, "theta0"), variance / n, as_positive(tau, "tau"))


@quiet
def msprt_bernoulli(x: Any, y: Any, tau: Any, theta0: Any = 0.0) -> MixturePath:
    """The mixture SPRT of the difference of success rates x - y along paired streams of zeros and ones.

    Args:
        x: Successes, shape (..., pairs), numbers in [0, 1].
        y: The same shape.
        tau: Standard deviation of the mixture, above 0.
        theta0: Difference under the null hypothesis.

    Returns:
        Paths; V_n = xbar (1 - xbar) + ybar (1 - ybar) from the first n pairs, NaN while it is 0.

    Raises:
        InputError: ``not_finite``, ``out_of_range``, ``shape_mismatch``.

    Source:
        Johari et al. (2022), section on binary data, with the plug-in variance.

    Examples:
        >>> msprt_bernoulli([1, 0, 1, 1], [0, 0, 1, 0], 0.5).ratio.round(4)
        array([   nan, 1.1245, 0.7719, 1.3772])
    """
    first, second = as_rates(x, "x"), as_rates(y, "y")
    difference, n = _paired(first, second)
    mean_x, mean_y = np.cumsum(first, axis=-1) / n, np.cumsum(second, axis=-1) / n
    variance = mean_x * (1.0 - mean_x) + mean_y * (1.0 - mean_y)
    mean = np.cumsum(difference, axis=-1) / n
    squared = np.where(variance > 0, variance / n, np.nan)
    return _path(mean - as_floats(theta0, "theta0"), squared, as_positive(tau, "tau"))


def _paired(x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    if x.shape != y.shape or x.ndim == 0:
        raise refuse("shape_mismatch", "streams do not pair up", "x, y", value=f"{x.shape}, {y.shape}")
    return x - y, np.arange(1.0, x.shape[-1] + 1.0)


def _log_ratio(distance: FloatArray, squared_error: FloatArray, tau: FloatArray) -> FloatArray:
    """Log Lambda from the distance to the null and the squared standard error V / n."""
    share = tau * tau / (squared_error + tau * tau)
    growth = np.log1p(tau * tau / squared_error)
    return np.asarray(0.5 * (share * distance * distance / squared_error - growth), dtype=np.float64)


def _path(distance: FloatArray, squared_error: FloatArray, tau: FloatArray) -> MixturePath:
    log_ratio = _log_ratio(distance, squared_error, tau[..., None] if tau.ndim else tau)
    p = np.exp(-np.maximum(log_ratio, 0.0))
    return MixturePath(np.exp(log_ratio), log_ratio, np.fmin.accumulate(p, axis=-1))
