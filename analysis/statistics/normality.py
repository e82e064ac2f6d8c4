"""Is a mean of these values close enough to normal? The skewness rule, from histograms or rates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fairsplit.analysis.statistics.checks import as_counts, as_floats, as_rates
from fairsplit.analysis.statistics.status import quiet

if TYPE_CHECKING:
    from fairsplit.analysis.statistics.checks import BoolArray, FloatArray
    from fairsplit.analysis.statistics.histograms import Histograms

#: Units per squared skewness for a two-sided 5 % test whose tails each hold 2.5 % within a tenth.
UNITS_PER_SKEWNESS = 355.0


@dataclass(frozen=True, slots=True, eq=False)
class NormalityRule:
    """Whether a mean may be treated as normal.

    Attributes:
        skewness: Third standardised moment of the values.
        needed: Units the rule asks for.
        adequate: True where there are as many.
    """

    skewness: FloatArray
    needed: FloatArray
    adequate: BoolArray


@quiet
def skewness_rule(n: Any, skewness: Any) -> NormalityRule:
    """Kohavi, Deng, Longbotham and Xu's rule (2014, KDD, "Seven rules of thumb"): n at least 355 skewness^2.

    Derived for one arm's mean; the difference of two equal arms is far less skewed, so the rule is careful.

    Args:
        n: Units, shape (...).
        skewness: Skewness of the values, broadcastable.

    Returns:
        Units needed (at least 30) and whether they are there.

    Raises:
        InputError: For NaN, infinities, impossible counts.

    Examples:
        >>> r = skewness_rule(1000, 2.0)
        >>> r.needed.item(), r.adequate.item()
        (1420.0, False)
    """
    count, skew = as_counts(n, "n"), as_floats(skewness, "skewness")
    needed = np.maximum(np.ceil(UNITS_PER_SKEWNESS * skew**2), 30.0)
    return NormalityRule(skew, needed, np.asarray(count >= needed))


@quiet
def histogram_skewness(histograms: Histograms) -> tuple[FloatArray, FloatArray]:
    """Skewness of both arms' values; 0 where an arm does not vary.

    Args:
        histograms: Value histograms of both arms.

    Returns:
        Control and treatment, per comparison.

    Examples:
        >>> from fairsplit.analysis.statistics.histograms import Histograms
        >>> h = Histograms.from_values([0.0, 0.0, 0.0, 1.0], [1.0, 2.0, 3.0])
        >>> [s.round(4).item() for s in histogram_skewness(h)]
        [1.1547, 0.0]
    """
    h = histograms
    out = []
    for units, moments in zip((h.control, h.treatment), h.moments(), strict=True):
        deviation = h.value - moments.mean[h.group]
        third = h.total(units * deviation**3) / np.maximum(moments.n, 1.0)
        spread = (moments.m2 / np.maximum(moments.n, 1.0)) ** 1.5
        out.append(np.where(spread > 0, third / np.where(spread > 0, spread, 1.0), 0.0))
    return out[0], out[1]


@quiet
def difference_skewness(skewness: Any, n_c: Any, n_t: Any) -> FloatArray:
    """Size of the skewness of a difference of two means whose units share one distribution.

    skewness |1 / n_t^2 - 1 / n_c^2| / (1 / n_t + 1 / n_c)^(3/2): 0 for equal arms, that of the smaller arm's mean,
    skewness / sqrt(n), beside a far larger one. Edgeworth's first term, which moves the two tails of a t-test apart,
    is proportional to it (Hall 1992, The Bootstrap and Edgeworth Expansion, 2.6).

    Args:
        skewness: Of the units' values, shape (...).
        n_c: Units of the control, broadcastable.
        n_t: Units of the treatment.

    Returns:
        Sizes, NaN where an arm has no unit.

    Examples:
        >>> difference_skewness(10.0, [100, 10**9], [100, 100]).round(6)
        array([0., 1.])
    """
    one_c, one_t = (1.0 / np.asarray(n, dtype=np.float64) for n in (n_c, n_t))
    # Written by shares: squares of 1e12 units would be lost.
    total = one_c + one_t
    gap = np.abs(one_t - one_c) / np.sqrt(total)
    return np.abs(np.asarray(skewness, dtype=np.float64)) * gap


@quiet
def rate_skewness(rate: Any) -> FloatArray:
    """Skewness of zeros and ones, (1 - 2p) / sqrt(p (1 - p)); 0 at the rates 0 and 1, where nothing varies.

    Raises:
        InputError: For rates outside [0, 1].

    Examples:
        >>> rate_skewness([0.5, 0.2])
        array([0. , 1.5])
    """
    p = as_rates(rate, "rate")
    spread = np.sqrt(p * (1.0 - p))
    return np.where(spread > 0, (1.0 - 2.0 * p) / np.where(spread > 0, spread, 1.0), 0.0)
