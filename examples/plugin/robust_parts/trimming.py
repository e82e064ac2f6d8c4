"""Means without the smallest and the largest fifth of the units: a statistic of one arm, and Yuen's test of two."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from fairsplit.analysis.parts.protocols import TestResult

#: Share of the units that is left out at either end.
TRIM = 0.2


@dataclass(frozen=True)
class _Trimmed:
    mean: float
    variance: float
    kept: float


def _of(values: np.ndarray, units: np.ndarray) -> _Trimmed:
    """The trimmed mean with its squared standard error, by Winsorized squares (Yuen 1974, Biometrika 61, 165)."""
    n = units.sum()
    cut = np.floor(TRIM * n)
    kept = n - 2 * cut
    if kept < 2:
        raise ValueError("too few units to trim")
    last = np.cumsum(units)
    inside = np.clip(last, cut, n - cut) - np.clip(last - units, cut, n - cut)
    mean = (values * inside).sum() / kept
    low, high = values[inside > 0][[0, -1]]
    clipped = np.clip(values, low, high)
    centre = (clipped * units).sum() / n
    squares = (units * (clipped - centre) ** 2).sum()
    return _Trimmed(float(mean), float(squares / (kept * (kept - 1))), float(kept))


def trimmed(values: np.ndarray, units: np.ndarray) -> tuple[float, float]:
    """A metric of `kind: custom`: the trimmed mean of an arm, in the measure's unit, and its variance."""
    arm = _of(values, units)
    return arm.mean, arm.variance


def yuen(values: np.ndarray, control: np.ndarray, treatment: np.ndarray, alpha: float) -> TestResult:
    """Yuen's two-sided test of trimmed means: Welch's t over what is left of either arm."""
    c, t = (_of(values[units > 0], units[units > 0]) for units in (control, treatment))
    squared = c.variance + t.variance
    if squared == 0:
        raise ValueError("the trimmed units are all alike")
    df = squared**2 / (c.variance**2 / (c.kept - 1) + t.variance**2 / (t.kept - 1))
    difference, std_error = t.mean - c.mean, float(np.sqrt(squared))
    p_value = 2 * float(special.stdtr(df, -abs(difference / std_error)))
    half = -float(special.stdtrit(df, alpha / 2)) * std_error
    return TestResult(difference, std_error, p_value, difference - half, difference + half)
