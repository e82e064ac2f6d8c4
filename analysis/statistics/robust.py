"""Means that outliers cannot move: winsorised (capped) and trimmed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fairsplit.analysis.statistics.checks import as_floats, as_level, refuse
from fairsplit.analysis.statistics.comparisons import Comparison, Estimate, compare
from fairsplit.analysis.statistics.moments import Moments
from fairsplit.analysis.statistics.status import Reason, blank, quiet, reasons

if TYPE_CHECKING:
    from fairsplit.analysis.statistics.checks import FloatArray
    from fairsplit.analysis.statistics.histograms import Histograms
    from fairsplit.analysis.statistics.tails import Alternative


@dataclass(frozen=True, slots=True, eq=False)
class Winsorised:
    """Capped values with their moments.

    Attributes:
        values: The values after capping, in the order given.
        moments: Their moments.
        cap_low: Lower cap; values below it became it.
        cap_high: Upper cap.
        n_capped: Values changed.
    """

    values: FloatArray
    moments: Moments
    cap_low: FloatArray
    cap_high: FloatArray
    n_capped: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class WinsorisedArms:
    """Both arms capped at common caps.

    Attributes:
        control: Moments of the capped control.
        treatment: Moments of the capped treatment.
        cap_low: Lower cap per comparison.
        cap_high: Upper cap per comparison.
        n_capped: Units changed, both arms.
    """

    control: Moments
    treatment: Moments
    cap_low: FloatArray
    cap_high: FloatArray
    n_capped: FloatArray


def _share(value: Any, name: str) -> FloatArray:
    share = as_floats(value, name)
    if np.any((share < 0) | (share > 1)):
        raise refuse("out_of_range", "not a share", name, value=share, rule="between 0 and 1")
    return share


def winsorise_quantile(values: Any, lower: Any = 0.0, upper: Any = 0.99) -> Winsorised:
    """Cap at type-7 quantiles.

    Args:
        values: Shape (..., n), n at least 1.
        lower: Probability of the lower cap; 0 caps nothing below.
        upper: Probability of the upper cap; 1 caps nothing above.

    Raises:
        InputError: For NaN, infinities, shares outside [0, 1] or out of order, no values.

    Examples:
        >>> r = winsorise_quantile([0.0, 1.0, 2.0, 3.0, 100.0], 0.0, 0.75)
        >>> r.cap_high.item(), r.moments.mean.item()
        (3.0, 1.8)
    """
    x = np.atleast_1d(as_floats(values, "values"))
    low, high = _share(lower, "lower"), _share(upper, "upper")
    if np.any(low > high):
        raise refuse("out_of_range", "caps out of order", "lower, upper", rule="lower at most upper")
    if x.shape[-1] == 0:
        raise refuse("insufficient_sample", "no values", "values", rule="at least one")
    caps = np.quantile(x, np.stack(np.broadcast_arrays(low, high)), axis=-1)
    return _capped(x, caps[0], caps[1])


def winsorise_count(values: Any, lower: float = 0.0, upper: float = 0.0) -> Winsorised:
    """Replace the floor(share n) lowest and highest values by the next one, as SciPy's ``mstats.winsorize``.

    Args:
        values: Shape (..., n), n at least 1.
        lower: Share of values to replace below.
        upper: Share of values to replace above.

    Raises:
        InputError: For NaN, infinities, shares outside [0, 1] or that leave no value.

    Examples:
        >>> winsorise_count([1.0, 2.0, 3.0, 100.0], 0.0, 0.25).values
        array([1., 2., 3., 3.])
    """
    x = np.atleast_1d(as_floats(values, "values"))
    n = x.shape[-1]
    below, above = int(float(_share(lower, "lower")) * n), int(float(_share(upper, "upper")) * n)
    if below + above >= n:
        raise refuse(
            "out_of_range", "no value left", "lower, upper", value=(lower, upper), rule="sum below 1"
        )
    ordered = np.sort(x, axis=-1)
    return _capped(x, ordered[..., below], ordered[..., n - 1 - above])


def _capped(x: FloatArray, low: FloatArray, high: FloatArray) -> Winsorised:
    values = np.clip(x, low[..., None], high[..., None])
    changed = (values != x).sum(axis=-1).astype(np.float64)
    return Winsorised(values, Moments.from_values(values), np.asarray(low), np.asarray(high), changed)


def winsorise_arms(histograms: Histograms, lower: Any = 0.0, upper: Any = 0.99) -> WinsorisedArms:
    """Cap both arms at type-7 quantiles of the pooled arms: one cap, so that capping makes no difference.

    Args:
        histograms: Value histograms of both arms.
        lower: Probability of the lower cap, per comparison; 0 caps nothing below.
        upper: Probability of the upper cap, per comparison; 1 caps nothing above.

    Returns:
        Moments ready for `means.welch`.

    Raises:
        InputError: For shares outside [0, 1].

    Examples:
        >>> from fairsplit.analysis.statistics.histograms import Histograms
        >>> r = winsorise_arms(Histograms.from_values([0.0, 1.0, 50.0], [0.0, 2.0]), 0.0, 0.75)
        >>> r.cap_high, r.control.mean
        (array([2.]), array([1.]))
    """
    h = histograms
    units = h.control + h.treatment
    low = h.quantile(units, np.broadcast_to(_share(lower, "lower"), (h.size,)))
    high = h.quantile(units, np.broadcast_to(_share(upper, "upper"), (h.size,)))
    values = np.clip(h.value, low[h.group], high[h.group])
    control, treatment = h.moments(values)
    return WinsorisedArms(control, treatment, low, high, h.total(units * (values != h.value)))


@quiet
def yuen(
    histograms: Histograms, trim: Any = 0.2, alpha: Any = 0.05, alternative: Alternative = "two-sided"
) -> Comparison:
    """Yuen's test of trimmed means (1974): Welch with winsorised variances.

    Each arm drops its floor(trim n) lowest and highest values; the variance of its trimmed mean is
    (n - 1) s_w^2 / (h (h - 1)), h values kept, s_w the winsorised standard deviation.

    Args:
        histograms: Value histograms of both arms.
        trim: Share to drop at each end, above 0 and below 1/2, per comparison.
        alpha: Level(s).
        alternative: ``two-sided``, ``less`` or ``greater``.

    Returns:
        Comparisons of trimmed means, as ``scipy.stats.ttest_ind(trim=…, equal_var=False)``.

    Raises:
        InputError: For a trim outside (0, 1/2) and alpha outside (0, 1).

    Examples:
        >>> from fairsplit.analysis.statistics.histograms import Histograms
        >>> h = Histograms.from_values([1.0, 2.0, 3.0, 4.0, 90.0], [3.0, 4.0, 5.0, 6.0, 7.0])
        >>> yuen(h, 0.2).diff
        array([2.])
    """
    share = np.broadcast_to(as_level(trim, "trim"), (histograms.size,))
    if np.any(share >= 0.5):
        raise refuse("out_of_range", "trim too large", "trim", value=share.max(), rule="below 1/2")
    flipped = histograms.flipped()
    return compare(_trimmed(histograms, share), _trimmed(flipped, share), alpha, alternative)


def _trimmed(h: Histograms, share: FloatArray) -> Estimate:
    """The trimmed mean of the control arm of `h`."""
    n = h.total(h.control)
    cut = np.floor(share * n)
    kept = n - 2.0 * cut
    low, high = h.order_statistic(h.control, cut + 1.0), h.order_statistic(h.control, n - cut)
    winsorised = h.moments(np.clip(h.value, low[h.group], high[h.group]))[0]
    # The kept part is the winsorised sample without the `cut` copies of each cap.
    middle = winsorised.mean
    mean = middle - cut * ((low - middle) + (high - middle)) / kept
    status = reasons(n.shape, [(n == 0, Reason.NO_EXPOSURE), (kept < 2, Reason.INSUFFICIENT_SAMPLE)])
    variance = winsorised.m2 / (kept * (kept - 1.0))
    return Estimate(n, blank(status, mean), blank(status, variance), kept - 1.0, status)
