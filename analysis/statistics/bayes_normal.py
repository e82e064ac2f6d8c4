"""Normal posteriors of effects and arms: chance to win, risks, credible intervals, chance to be best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from fairsplit.analysis.statistics.bayes_beta import BestArms
from fairsplit.analysis.statistics.best_arm import LOG_FALLS, ArmFunctions, best_of
from fairsplit.analysis.statistics.checks import (
    as_floats,
    as_level,
    as_non_negative,
    as_positive,
    refuse,
    together,
)
from fairsplit.analysis.statistics.status import Reason, blank, quiet, reasons

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from fairsplit.analysis.statistics.checks import BoolArray, FloatArray, StatusArray

_SQRT_HALF_PI = np.sqrt(np.pi / 2)
_SQRT_TWO_PI = np.sqrt(2 * np.pi)


@dataclass(frozen=True, slots=True)
class NormalPosterior:
    """Posterior of an effect (treatment minus control), arrays of one shape.

    Attributes:
        mean: Posterior mean.
        sd: Posterior standard deviation.
        chance_to_win: P(effect > 0).
        log_chance_to_lose: log P(effect < 0), true where the chance underflows.
        risk_c: E[effect+], what choosing the control is expected to lose.
        risk_t: E[(-effect)+], what choosing the treatment is expected to lose.
        ci_low: Lower bound of the equal-tailed credible interval.
        ci_high: Upper bound.
        status: `Reason` codes: ``zero_variance`` where the standard error is 0.
    """

    mean: FloatArray
    sd: FloatArray
    chance_to_win: FloatArray
    log_chance_to_lose: FloatArray
    risk_c: FloatArray
    risk_t: FloatArray
    ci_low: FloatArray
    ci_high: FloatArray
    status: StatusArray


@quiet
def unit_normal_loss(z: FloatArray) -> FloatArray:
    """E[(Z - z)+] for a standard Normal Z: φ(z) - z P(Z > z), without cancellation in the upper tail.

    Args:
        z: Finite numbers, any shape.

    Returns:
        Positive values, same shape (0 only where the true value underflows).

    Source:
        Raiffa & Schlaifer (1961), Applied Statistical Decision Theory, 5.4; Mills' ratio by erfcx.

    Examples:
        >>> print(np.round(unit_normal_loss(np.array([0.0, 1.0, -1.0])), 6))
        [0.398942 0.083315 1.083315]
    """
    upper = np.abs(z)
    density = np.exp(-0.5 * upper**2) / _SQRT_TWO_PI
    mills = _SQRT_HALF_PI * special.erfcx(upper / np.sqrt(2))
    tail = density * (1 - upper * mills)
    # Beyond 30 the difference cancels; the asymptotic series of Mills' ratio gives it directly.
    inverse = 1.0 / np.maximum(upper, 30.0) ** 2
    far = (
        density
        * inverse
        * (1 - inverse * (3 - inverse * (15 - inverse * (105 - inverse * (945 - inverse * 10395)))))
    )
    tail = np.where(upper > 30, far, tail)
    out: FloatArray = np.where(z >= 0, tail, upper + tail)
    return out


@quiet
def normal_effect(
    estimate: ArrayLike,
    std_error: ArrayLike,
    *,
    prior_mean: ArrayLike = 0.0,
    prior_sd: ArrayLike | None = None,
    alpha: ArrayLike = 0.05,
) -> NormalPosterior:
    """Posterior of an effect from its estimate, its standard error and a Normal prior on the effect.

    With precisions w = 1/se² and w0 = 1/sd0² the posterior is N((w d + w0 m0)/(w + w0), 1/(w + w0)).

    Args:
        estimate: Estimated effect (absolute or relative), treatment minus control.
        std_error: Its standard error, same unit.
        prior_mean: Mean of the prior on the effect, same unit.
        prior_sd: Its standard deviation; None for a flat prior.
        alpha: One minus the credible level.

    Returns:
        `NormalPosterior` of the broadcast shape.

    Raises:
        InputError: Not finite numbers, a negative standard error, a prior_sd that is not positive, alpha
            outside (0, 1).

    Source:
        Gelman et al. (2013), 2.5; risks as in Stucchio (2015) with Normal posteriors.

    Examples:
        >>> r = normal_effect(0.2, 0.1, prior_sd=0.1)
        >>> print(f"{r.mean:.3f} {r.sd:.4f} {r.chance_to_win:.4f} {r.risk_t:.5f}")
        0.100 0.0707 0.9214 0.00251
    """
    d, se, m0, level = together(
        {
            "estimate": as_floats(estimate, "estimate"),
            "std_error": as_non_negative(std_error, "std_error"),
            "prior_mean": as_floats(prior_mean, "prior_mean"),
            "alpha": as_level(alpha),
        }
    )
    if prior_sd is None:
        mean, sd = d, se
    else:
        d, se, m0, level, sd0 = together(
            {
                "estimate": d,
                "std_error": se,
                "prior_mean": m0,
                "alpha": level,
                "prior_sd": as_positive(prior_sd, "prior_sd"),
            }
        )
        root = np.hypot(se, sd0)
        mean = d + (m0 - d) * (se / root) ** 2
        sd = se * (sd0 / root)
    status = reasons(d.shape, [(se == 0, Reason.ZERO_VARIANCE)])
    z = mean / sd
    half = -special.ndtri(level / 2) * sd
    return NormalPosterior(
        mean=blank(status, mean),
        sd=blank(status, sd),
        chance_to_win=blank(status, special.ndtr(z)),
        log_chance_to_lose=blank(status, special.log_ndtr(-z)),
        risk_c=blank(status, sd * unit_normal_loss(-z)),
        risk_t=blank(status, sd * unit_normal_loss(z)),
        ci_low=blank(status, mean - half),
        ci_high=blank(status, mean + half),
        status=status,
    )


@quiet
def normal_best(mean: ArrayLike, std_error: ArrayLike) -> BestArms:
    """Chance to be best and expected loss among k arms with independent Normal posteriors.

    Args:
        mean: Posterior means, shape (..., arms).
        std_error: Posterior standard deviations, same shape or one that broadcasts; positive.

    Returns:
        `BestArms` with arrays of shape (..., arms).

    Raises:
        InputError: Not finite numbers, a standard error that is not positive, no axis of arms.

    Source:
        Scott (2010), eq. 3, with Normal posteriors; quadrature as in `best_of`.

    Examples:
        >>> r = normal_best([1.0, 1.2, 0.9], [0.1, 0.1, 0.1])
        >>> print(np.round(r.p_best, 4), np.round(r.expected_loss, 4))
        [0.0761 0.9115 0.0123] [0.2056 0.0056 0.3056]
    """
    m, se = together({"mean": as_floats(mean, "mean"), "std_error": as_positive(std_error, "std_error")})
    if m.ndim == 0:
        raise refuse(
            "shape_mismatch", "no axis of arms", "mean", value=m.shape, rule="one column for each arm"
        )
    shape, arms = m.shape, m.shape[-1]
    # Measured from the first arm in units of the widest: a mean of 1e9 with error 1 keeps its digits.
    origin = m[..., :1]
    unit = se.max(axis=-1, keepdims=True)
    centre = ((m - origin) / unit).reshape(-1, arms)
    scale = (se / unit).reshape(-1, arms)
    steps = np.sqrt(2 * LOG_FALLS)
    steps = np.concatenate([-steps[::-1], [0.0], steps])
    marks = (centre[..., None] + scale[..., None] * steps).reshape(centre.shape[0], -1)

    def functions(y: FloatArray, _: BoolArray, block: slice) -> ArmFunctions:
        width = scale[block, :, None]
        z = (y - centre[block, :, None]) / width
        density = np.exp(-0.5 * z * z) / (_SQRT_TWO_PI * width)
        return ArmFunctions(special.ndtr(z), special.ndtr(-z), density, np.ones_like(y))

    out = best_of(marks, functions, arms)
    return BestArms(m, out.p_best.reshape(shape), out.expected_loss.reshape(shape) * unit)
