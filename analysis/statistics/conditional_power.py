"""What the end will say, given what is seen now: conditional and predictive power by the B-value.

Lan and Wittes (1988), Biometrics 44, 579: B(t) = Z sqrt(t) is a Brownian motion with drift theta, the mean of
Z at full information; B(1) - B(t) ~ N(theta (1 - t), 1 - t).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special

from fairsplit.analysis.statistics.checks import as_floats, as_level, as_positive, refuse, together
from fairsplit.analysis.statistics.group_sequential import as_information, crossing_probabilities
from fairsplit.analysis.statistics.padded import as_padded
from fairsplit.analysis.statistics.status import quiet

if TYPE_CHECKING:
    from fairsplit.analysis.statistics.checks import FloatArray


@dataclass(frozen=True, slots=True)
class ConditionalPower:
    """P(Z at full information exceeds the final bound), given Z now.

    Attributes:
        b_value: Z sqrt(t).
        planned: Under the planned drift.
        trend: Under the drift seen so far, Z / sqrt(t).
        null: Under no drift.
        predictive: Averaged over the posterior of the drift from a flat prior.
    """

    b_value: FloatArray
    planned: FloatArray
    trend: FloatArray
    null: FloatArray
    predictive: FloatArray


@quiet
def conditional_power(z: Any, fraction: Any, z_final: Any, drift: Any) -> ConditionalPower:
    """Conditional and predictive power of a final one-sided bound.

    Args:
        z: Statistic now.
        fraction: Information fraction now, in (0, 1).
        z_final: Bound at full information.
        drift: Planned mean of Z at full information (z_alpha + z_beta for a fixed design).

    Returns:
        Arrays of the broadcast shape.

    Raises:
        InputError: ``not_finite``; ``out_of_range`` for a fraction outside (0, 1).

    Source:
        Lan and Wittes (1988); Spiegelhalter, Freedman and Blackburn (1986), Controlled Clinical Trials 7, 8,
        for the flat prior; Jennison and Turnbull (2000), chapter 10.

    Examples:
        >>> r = conditional_power([1.5], 0.5, 1.96, 2.8)
        >>> r.planned.round(4), r.trend.round(4), r.null.round(4), r.predictive.round(4)
        (array([0.7605]), array([0.5902]), array([0.1017]), array([0.5641]))
    """
    now, t, final, planned = together(
        {
            "z": as_floats(z, "z"),
            "fraction": as_level(fraction, "fraction"),
            "z_final": as_floats(z_final, "z_final"),
            "drift": as_floats(drift, "drift"),
        }
    )
    b = now * np.sqrt(t)
    left = 1.0 - t

    def under(theta: FloatArray) -> FloatArray:
        return np.asarray(special.ndtr((b + theta * left - final) / np.sqrt(left)), dtype=np.float64)

    predictive = special.ndtr((b / t - final) * np.sqrt(t / left))
    return ConditionalPower(b, under(planned), under(b / t), under(np.zeros_like(b)), predictive)


@quiet
def predictive_power(z: Any, fraction: Any, z_final: Any, prior_mean: Any, prior_sd: Any) -> FloatArray:
    """Conditional power averaged over the posterior of the drift from a normal prior.

    Args:
        z: Statistic now.
        fraction: Information fraction now, in (0, 1).
        z_final: One-sided bound at full information.
        prior_mean: Prior mean of the drift (the mean of Z at full information).
        prior_sd: Prior standard deviation of the drift, above 0.

    Returns:
        Probability, broadcast shape.

    Raises:
        InputError: ``not_finite``, ``out_of_range``.

    Source:
        Spiegelhalter et al. (1986); conjugate normal posterior with precision t + 1 / prior_sd^2.

    Examples:
        >>> predictive_power([1.5], 0.5, 1.96, 0.0, 1e6).round(4)
        array([0.5641])
    """
    now, t, final, centre, spread = together(
        {
            "z": as_floats(z, "z"),
            "fraction": as_level(fraction, "fraction"),
            "z_final": as_floats(z_final, "z_final"),
            "prior_mean": as_floats(prior_mean, "prior_mean"),
            "prior_sd": as_positive(prior_sd, "prior_sd"),
        }
    )
    b = now * np.sqrt(t)
    left = 1.0 - t
    precision = t + 1.0 / spread**2
    mean = (b + centre / spread**2) / precision
    deviation = np.sqrt(left + left * left / precision)
    return np.asarray(special.ndtr((b + left * mean - final) / deviation), dtype=np.float64)


def conditional_rejection(z: Any, information: Any, future: Any, upper: Any, drift: Any) -> FloatArray:
    """P(cross the upper bound at some later look), given Z now, in a group sequential design.

    Args:
        z: Statistic now, shape (...).
        information: Information (or its fraction) now, above 0, shape (...).
        future: Information at the later looks, shape (..., looks), all above `information`, NaN after the
            last.
        upper: z bounds of the later looks, same shape.
        drift: Mean of Z per square root of information, shape (...).

    Returns:
        Probability, shape (...).

    Raises:
        InputError: ``out_of_range`` for a later look that is not later; as `crossing_probabilities`.

    Source:
        Jennison and Turnbull (2000), section 10.2: given Z now the later scores start afresh.

    Examples:
        >>> conditional_rejection([1.5], [0.5], [[1.0]], [[1.96]], [2.8]).round(4)
        array([0.7605])
    """
    now, at = together({"z": as_floats(z, "z"), "information": as_positive(information, "information")})
    later = as_information(future, "future")
    bounds = as_padded(upper, "upper")
    growth = later - at[..., None]
    if np.any(growth <= 0):
        raise refuse("out_of_range", "a later look is not later", "future", rule="above information")
    shifted = (bounds * np.sqrt(later) - (now * np.sqrt(at))[..., None]) / np.sqrt(growth)
    lower = np.full(shifted.shape, -np.inf)
    return np.asarray(crossing_probabilities(shifted, lower, growth, drift).upper.sum(axis=-1))
