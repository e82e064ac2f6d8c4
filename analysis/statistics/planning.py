"""Sample size, power and minimum detectable effect of fixed-horizon tests of two arms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special

from fairsplit.analysis.statistics.checks import as_choice, as_floats, as_level, as_positive, refuse, together
from fairsplit.analysis.statistics.roots import rowwise_root
from fairsplit.analysis.statistics.status import quiet

if TYPE_CHECKING:
    from fairsplit.analysis.statistics.checks import FloatArray, IntArray

ALTERNATIVES = ("two-sided", "greater", "less")
#: Units over both arms from which a t-test's search starts, and units per arm at which it ends.
_SMALLEST_UNITS, _LARGEST_N = 3.0, 1e15
#: From here on the noncentral t is the normal to all digits that power is told with (and its series are
#: slow).
_NORMAL_DF = 1e8


@quiet
def power_two_proportions(p1: Any, p2: Any, n1: Any, n2: Any | None = None, alpha: Any = 0.05) -> FloatArray:
    """Power of the two-sided two-proportion test with the variance pooled under the null hypothesis.

    Args:
        p1: Success rate of the first arm, in (0, 1).
        p2: Success rate of the second arm, in (0, 1).
        n1: Units of the first arm, above 0 (not necessarily whole).
        n2: Units of the second arm; as the first if omitted.
        alpha: Two-sided error.

    Returns:
        P(reject in the direction of the difference), broadcast shape.

    Raises:
        InputError: ``out_of_range``, ``not_finite``.

    Source:
        Fleiss, Levin and Paik (2003), chapter 4; R's power.prop.test for equal arms.

    Examples:
        >>> power_two_proportions([0.5], 0.75, 50).round(4)
        array([0.7402])
    """
    first, second, m1, m2, level = together(
        {
            "p1": as_level(p1, "p1"),
            "p2": as_level(p2, "p2"),
            "n1": as_positive(n1, "n1"),
            "n2": as_positive(n1 if n2 is None else n2, "n2"),
            "alpha": as_level(alpha),
        }
    )
    return _proportions_power(first, second, m1, m2, level)


@quiet
def sample_size_two_proportions(
    p1: Any, p2: Any, power: Any = 0.8, alpha: Any = 0.05, *, ratio: Any = 1.0
) -> FloatArray:
    """Units of the first arm for a wanted power of the two-sided two-proportion test (Fleiss).

    Args:
        p1: Success rate of the first arm, in (0, 1).
        p2: Success rate of the second arm, in (0, 1), not p1.
        power: In (0, 1).
        alpha: Two-sided error.
        ratio: Units of the second arm over units of the first.

    Returns:
        Units of the first arm, unrounded; the second needs `ratio` times as many.

    Raises:
        InputError: ``out_of_range``, ``not_finite``.

    Source:
        Fleiss, Levin and Paik (2003), equation (4.14) without continuity correction; R's power.prop.test.

    Examples:
        >>> sample_size_two_proportions([0.5], 0.75, 0.9).round(2)
        array([76.71])
    """
    first, second, aim, level, share = together(
        {
            "p1": as_level(p1, "p1"),
            "p2": as_level(p2, "p2"),
            "power": as_level(power, "power"),
            "alpha": as_level(alpha),
            "ratio": as_positive(ratio, "ratio"),
        }
    )
    _different(first, second, "p2", "p1")
    pooled = (first + share * second) / (1.0 + share)
    under_null = pooled * (1.0 - pooled) * (1.0 + 1.0 / share)
    under_effect = first * (1.0 - first) + second * (1.0 - second) / share
    reach = -special.ndtri(level / 2.0) * np.sqrt(under_null) + special.ndtri(aim) * np.sqrt(under_effect)
    return np.asarray((np.maximum(reach, 0.0) / (first - second)) ** 2, dtype=np.float64)


def mde_two_proportions(
    p1: Any, n1: Any, n2: Any | None = None, power: Any = 0.8, alpha: Any = 0.05
) -> FloatArray:
    """The smallest increase of a rate that the two-sided two-proportion test finds with the wanted power.

    Args:
        p1: Rate of the control, in (0, 1).
        n1: Units of the control.
        n2: Units of the other arm; as the first if omitted.
        power: In (0, 1), above alpha / 2.
        alpha: Two-sided error.

    Returns:
        p2 - p1, absolute; NaN where not even certainty (p2 = 1) reaches the power.

    Raises:
        InputError: ``out_of_range``, ``not_finite``.

    Source:
        Inverse of `power_two_proportions` in p2.

    Examples:
        >>> mde_two_proportions([0.5], 76.7069284517774, power=0.9).round(6)
        array([0.25])
    """
    base, m1, m2, aim, level = together(
        {
            "p1": as_level(p1, "p1"),
            "n1": as_positive(n1, "n1"),
            "n2": as_positive(n1 if n2 is None else n2, "n2"),
            "power": as_level(power, "power"),
            "alpha": as_level(alpha),
        }
    )
    _above_alpha(aim, level)
    # searched on the logit scale, where rates of 1e-7 and of 1/2 are equally far from their neighbours
    start = special.logit(base)

    flat = [x.reshape(-1) for x in (start, base, m1, m2, aim, level)]

    def excess(distance: FloatArray, r: IntArray) -> FloatArray:
        at, p, a, b, goal, error = (x[r] for x in flat)
        return _proportions_power(p, special.expit(at + distance), a, b, error) - goal

    distance, found = rowwise_root(excess, 1e-12, 60.0, start.size)
    rise = special.expit(flat[0] + distance) - flat[1]
    return np.where(found, rise, np.nan).reshape(base.shape)


@quiet
def power_two_sample_t(
    delta: Any, sd: Any, n1: Any, n2: Any | None = None, alpha: Any = 0.05, *, alternative: str = "two-sided"
) -> FloatArray:
    """Power of the two-sample t-test with equal variances, by the noncentral t distribution.

    Args:
        delta: Difference of means (second minus first).
        sd: Standard deviation within arms, above 0.
        n1: Units of the first arm, above 1.
        n2: Units of the second arm; as the first if omitted.
        alpha: Error over all sides.
        alternative: ``two-sided`` (rejection on either side counts), ``greater``, ``less``.

    Returns:
        Power, broadcast shape.

    Raises:
        InputError: ``out_of_range``, ``not_finite``, ``unknown_choice``.

    Source:
        Cohen (1988), chapter 2; as R's pwr.t.test and statsmodels' TTestIndPower.

    Examples:
        >>> power_two_sample_t([1.0], 1.0, 20).round(4)
        array([0.869])
    """
    as_choice(alternative, "alternative", ALTERNATIVES)
    difference, spread, m1, m2, level = together(
        {
            "delta": as_floats(delta, "delta"),
            "sd": as_positive(sd, "sd"),
            "n1": as_positive(n1, "n1"),
            "n2": as_positive(n1 if n2 is None else n2, "n2"),
            "alpha": as_level(alpha),
        }
    )
    if np.any(m1 + m2 <= 2):
        raise refuse("out_of_range", "no degrees of freedom", "n1, n2", rule="more than two units together")
    return _t_power(difference / spread, m1, m2, level, alternative)


@quiet
def sample_size_two_sample_t(
    delta: Any,
    sd: Any,
    power: Any = 0.8,
    alpha: Any = 0.05,
    *,
    ratio: Any = 1.0,
    alternative: str = "two-sided",
) -> FloatArray:
    """Units of the first arm for a wanted power of the two-sample t-test.

    Args:
        delta: Difference of means, not 0, of the sign that the alternative names.
        sd: Standard deviation within arms.
        power: In (0, 1), above alpha.
        alpha: Error over all sides.
        ratio: Units of the second arm over units of the first.
        alternative: ``two-sided``, ``greater``, ``less``.

    Returns:
        Units of the first arm, unrounded, at least 3 over both; NaN where more than 1e15 are needed.

    Raises:
        InputError: ``out_of_range``, ``not_finite``, ``unknown_choice``.

    Source:
        Inverse of `power_two_sample_t` in n.

    Examples:
        >>> sample_size_two_sample_t([1.0], 1.0, 0.9).round(3)
        array([22.021])
    """
    as_choice(alternative, "alternative", ALTERNATIVES)
    difference, spread, aim, level, share = together(
        {
            "delta": as_floats(delta, "delta"),
            "sd": as_positive(sd, "sd"),
            "power": as_level(power, "power"),
            "alpha": as_level(alpha),
            "ratio": as_positive(ratio, "ratio"),
        }
    )
    _different(difference, np.zeros_like(difference), "delta", "0")
    _right_way(difference, alternative)
    _above_alpha(aim, level)
    effect = np.abs(difference / spread)
    side = "two-sided" if alternative == "two-sided" else "greater"

    flat = [x.reshape(-1) for x in (effect, aim, level, share)]
    lowest = np.log(_SMALLEST_UNITS / (1.0 + flat[3]))

    def excess(log_n: FloatArray, r: IntArray) -> FloatArray:
        d, goal, error, more = (x[r] for x in flat)
        n = np.exp(log_n)
        return _t_power(d, n, n * more, error, side) - goal

    log_n, found = rowwise_root(excess, lowest, np.log(_LARGEST_N), lowest.size, 1e-13)
    enough = excess(lowest, np.arange(lowest.size)) >= 0
    n = np.where(found, np.exp(log_n), np.where(enough, np.exp(lowest), np.nan))
    return n.reshape(effect.shape)


@quiet
def power_cohens_h(
    h: Any, n1: Any, n2: Any | None = None, alpha: Any = 0.05, *, alternative: str = "two-sided"
) -> FloatArray:
    """Power of the arcsine test of two proportions.

    Args:
        h: Effect 2 asin sqrt p2 - 2 asin sqrt p1.
        n1: Units of the first arm.
        n2: Units of the second arm; as the first if omitted.
        alpha: Error over all sides.
        alternative: ``two-sided``, ``greater`` (h > 0), ``less``.

    Returns:
        Power, broadcast shape.

    Raises:
        InputError: ``out_of_range``, ``not_finite``, ``unknown_choice``.

    Source:
        Cohen (1988), chapter 6; R's pwr.2p.test and pwr.2p2n.test.

    Examples:
        >>> power_cohens_h([0.3], 80, 245).round(4)
        array([0.6442])
    """
    as_choice(alternative, "alternative", ALTERNATIVES)
    effect, m1, m2, level = together(
        {
            "h": as_floats(h, "h"),
            "n1": as_positive(n1, "n1"),
            "n2": as_positive(n1 if n2 is None else n2, "n2"),
            "alpha": as_level(alpha),
        }
    )
    return _z_power(effect * np.sqrt(m1 * m2 / (m1 + m2)), level, alternative)


@quiet
def power_z(delta: Any, std_error: Any, alpha: Any = 0.05, *, alternative: str = "two-sided") -> FloatArray:
    """Power of a normal test of an estimate with a known standard error.

    Args:
        delta: True effect.
        std_error: Standard error that the estimate will have, above 0.
        alpha: Error over all sides.
        alternative: ``two-sided``, ``greater``, ``less``.

    Returns:
        Power, broadcast shape.

    Raises:
        InputError: ``out_of_range``, ``not_finite``, ``unknown_choice``.

    Examples:
        >>> power_z([2.8], 1.0).round(4)
        array([0.7996])
    """
    as_choice(alternative, "alternative", ALTERNATIVES)
    difference, se, level = together(
        {
            "delta": as_floats(delta, "delta"),
            "std_error": as_positive(std_error, "std_error"),
            "alpha": as_level(alpha),
        }
    )
    return _z_power(difference / se, level, alternative)


def mde_z(std_error: Any, power: Any = 0.8, alpha: Any = 0.05, *, sides: int = 2) -> FloatArray:
    """The smallest effect that a normal test finds with the wanted power, from the estimate's standard error.

    Args:
        std_error: Standard error that the estimate has or will have, above 0.
        power: In (0, 1).
        alpha: Error over all sides.
        sides: 2 or 1.

    Returns:
        (z_{1 - alpha / sides} + z_power) std_error, broadcast shape, in the unit of the effect.

    Raises:
        InputError: ``out_of_range``, ``unknown_choice``.

    Examples:
        >>> mde_z([1.0]).round(4)
        array([2.8016])
    """
    as_choice(str(sides), "sides", ("1", "2"))
    se, aim, level = together(
        {
            "std_error": as_positive(std_error, "std_error"),
            "power": as_level(power, "power"),
            "alpha": as_level(alpha),
        }
    )
    return np.asarray((special.ndtri(aim) - special.ndtri(level / sides)) * se, dtype=np.float64)


def mde_two_sample_z(
    sd: Any, n1: Any, n2: Any | None = None, power: Any = 0.8, alpha: Any = 0.05, *, sides: int = 2
) -> FloatArray:
    """The smallest difference of two means that a normal test finds with the wanted power.

    Args:
        sd: Standard deviation within arms, above 0.
        n1: Units of the first arm.
        n2: Units of the second arm; as the first if omitted.
        power: In (0, 1).
        alpha: Error over all sides.
        sides: 2 or 1.

    Returns:
        Absolute difference, broadcast shape.

    Raises:
        InputError: ``out_of_range``, ``unknown_choice``.

    Examples:
        >>> mde_two_sample_z([1.0], 1000).round(4)
        array([0.1253])
    """
    spread, m1 = as_positive(sd, "sd"), as_positive(n1, "n1")
    m2 = m1 if n2 is None else as_positive(n2, "n2")
    return mde_z(spread * np.sqrt(1.0 / m1 + 1.0 / m2), power, alpha, sides=sides)


def _proportions_power(
    p1: FloatArray, p2: FloatArray, n1: FloatArray, n2: FloatArray, alpha: FloatArray
) -> FloatArray:
    pooled = (n1 * p1 + n2 * p2) / (n1 + n2)
    under_null = np.sqrt(pooled * (1.0 - pooled) * (1.0 / n1 + 1.0 / n2))
    under_effect = np.sqrt(p1 * (1.0 - p1) / n1 + p2 * (1.0 - p2) / n2)
    reach = np.abs(p1 - p2) + special.ndtri(alpha / 2.0) * under_null
    return np.asarray(special.ndtr(reach / under_effect), dtype=np.float64)


def _z_power(drift: FloatArray, alpha: FloatArray, alternative: str) -> FloatArray:
    if alternative == "two-sided":
        z = special.ndtri(alpha / 2.0)
        return np.asarray(special.ndtr(z + drift) + special.ndtr(z - drift), dtype=np.float64)
    signed = drift if alternative == "greater" else -drift
    return np.asarray(special.ndtr(special.ndtri(alpha) + signed), dtype=np.float64)


def _t_power(
    effect: FloatArray, n1: FloatArray, n2: FloatArray, alpha: FloatArray, alternative: str
) -> FloatArray:
    from scipy import stats  # noqa: PLC0415 - half a second, which only small plans need

    drift = effect * np.sqrt(n1 * n2 / (n1 + n2))
    df = n1 + n2 - 2.0
    large = df > _NORMAL_DF
    freedom = np.where(large, 10.0, df)
    shift = np.where(large, 0.0, drift if alternative != "less" else -drift)
    critical = stats.t.isf(alpha / (2.0 if alternative == "two-sided" else 1.0), freedom)
    # against the drift the tail is below Phi(-|drift|): nothing beyond 8, where SciPy's series give NaN
    exact = stats.nct.sf(critical, freedom, np.clip(shift, -8.0, 1e4))
    if alternative == "two-sided":
        exact = exact + stats.nct.sf(critical, freedom, np.clip(-shift, -8.0, 1e4))
    return np.where(large, _z_power(drift, alpha, alternative), exact)


def _different(a: FloatArray, b: FloatArray, name: str, other: str) -> None:
    if np.any(a == b):
        raise refuse("out_of_range", "no effect to find", name, rule=f"not {other}")


def _right_way(delta: FloatArray, alternative: str) -> None:
    wrong = {"two-sided": np.zeros_like(delta, dtype=np.bool_), "greater": delta < 0, "less": delta > 0}
    if np.any(wrong[alternative]):
        raise refuse("out_of_range", "effect against the alternative", "delta", rule=f"{alternative} than 0")


def _above_alpha(power: FloatArray, alpha: FloatArray) -> None:
    if np.any(power <= alpha):
        raise refuse("out_of_range", "power at most alpha", "power", rule="above alpha")
