"""Fisher's exact test of two proportions: tails of the hypergeometric law for counts of any size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fairsplit.analysis.statistics.status import quiet
from fairsplit.analysis.statistics.stirling import entropy_term, stirling_remainder

if TYPE_CHECKING:
    from fairsplit.analysis.statistics.checks import FloatArray

#: Outcomes whose probability ties with the observed one up to rounding are as extreme as it (as R and SciPy).
_TIE = 1e-7
#: A tail is summed until a term adds less than this share of it.
_ENOUGH = 1e-17
#: Terms summed at most; the test is meant for arms that expect up to a thousand events.
_TERMS = 20_000


@dataclass(frozen=True, slots=True, eq=False)
class FisherTails:
    """Tail probabilities given the margins, arrays of one shape.

    Attributes:
        log_point: log P(X = x), X the treatment's events given all events and both arms' units.
        log_upper: log P(X >= x).
        log_lower: log P(X <= x).
        log_two_sided: log of the probability of all outcomes no likelier than the observed one.
    """

    log_point: FloatArray
    log_upper: FloatArray
    log_lower: FloatArray
    log_two_sided: FloatArray


@quiet
def fisher_tails(x_c: FloatArray, n_c: FloatArray, x_t: FloatArray, n_t: FloatArray) -> FisherTails:
    """The hypergeometric law of the treatment's events, given the events of both arms.

    Args:
        x_c: Events of the control, one common shape for all.
        n_c: Units of the control.
        x_t: Events of the treatment.
        n_t: Units of the treatment.

    Returns:
        Logarithms of tail probabilities, at most 0.

    Source:
        Fisher (1935), JRSS 98, 39; point probabilities as products of binomial ones (Loader 2000, "Fast and
        accurate computation of binomial probabilities"), so that a million million units lose no digit.

    Examples:
        >>> one = [np.array([v]) for v in (0.0, 9900.0, 1.0, 100.0)]
        >>> f"{np.exp(fisher_tails(*one).log_two_sided).item():.4f}"
        '0.0100'
    """
    law = _Law(x_c + x_t, n_c, n_t)
    point = law.log_point(x_t)
    above, below = law.tail(x_t, point, 1.0), law.tail(x_t, point, -1.0)
    other = _mirror(law, x_t, point)
    there = (other >= law.low) & (other <= law.high) & (other != x_t)
    place = np.where(there, other, x_t)
    at = law.log_point(place)
    rightwards = other > x_t
    far = np.where(rightwards, law.tail(place, at, 1.0), law.tail(place, at, -1.0))
    own = np.where(rightwards, below, above)
    both = np.where(there, np.logaddexp(own, far), own)
    return FisherTails(point, np.minimum(above, 0.0), np.minimum(below, 0.0), np.minimum(both, 0.0))


class _Law:
    """Hypergeometric law of the treatment's events."""

    def __init__(self, events: FloatArray, n_c: FloatArray, n_t: FloatArray) -> None:
        self.events, self.n_c, self.n_t = events, n_c, n_t
        self.low = np.maximum(0.0, events - n_c)
        self.high = np.minimum(events, n_t)
        self.mode = np.clip(np.floor((events + 1.0) * (n_t + 1.0) / (n_c + n_t + 2.0)), self.low, self.high)

    def log_point(self, x: FloatArray) -> FloatArray:
        total = self.n_c + self.n_t
        return (
            _log_binomial(x, self.n_t, self.events, total)
            + _log_binomial(self.events - x, self.n_c, self.events, total)
            - _log_binomial(self.events, total, self.events, total)
        )

    def tail(self, x: FloatArray, log_point: FloatArray, side: float) -> FloatArray:
        """Log P(X >= x) for side 1, log P(X <= x) for side -1, summed outwards from x."""
        here, term = np.array(x), np.ones_like(x)
        total = np.ones_like(x)
        for _ in range(_TERMS):
            if side > 0:
                ratio = (self.n_t - here) * (self.events - here)
                ratio = ratio / ((here + 1.0) * (self.n_c - self.events + here + 1.0))
            else:
                ratio = here * (self.n_c - self.events + here)
                ratio = ratio / ((self.n_t - here + 1.0) * (self.events - here + 1.0))
            term = term * np.maximum(ratio, 0.0)
            total = total + term
            here = here + side
            if np.all(term <= _ENOUGH * total):
                break
        return np.asarray(log_point + np.log(total))


def _mirror(law: _Law, x: FloatArray, log_point: FloatArray) -> FloatArray:
    """The outcome beyond the mode, seen from x, from which on none is likelier than x; outside where none is."""
    rightwards = x < law.mode
    near = np.array(law.mode)
    far = np.where(rightwards, law.high + 1.0, law.low - 1.0)
    limit = log_point + _TIE
    # At its mode the law is no less likely than at x; where it is not likelier, x is as likely as the mode.
    while np.any(np.abs(far - near) > 1.0):
        middle = np.trunc(0.5 * (near + far))
        inside = np.clip(middle, law.low, law.high)
        enough = law.log_point(inside) <= limit
        far, near = np.where(enough, middle, far), np.where(enough, near, middle)
    settled = law.log_point(law.mode) <= limit
    return np.where(settled & (law.mode != x), law.mode, far)


def _log_binomial(x: FloatArray, n: FloatArray, events: FloatArray, total: FloatArray) -> FloatArray:
    """Log of the binomial probability of x among n at the rate events / total (Loader 2000)."""
    rate, rest = events / total, (total - events) / total
    inner = (x > 0) & (x < n)
    safe_x, safe_n = np.where(inner, x, 1.0), np.where(inner, n, 2.0)
    left = safe_n - safe_x
    deviance = _deviance(safe_x, safe_n * rate) + _deviance(left, safe_n * rest)
    out = (
        stirling_remainder(safe_n)
        - stirling_remainder(safe_x)
        - stirling_remainder(left)
        - deviance
        + 0.5 * np.log(safe_n / (2.0 * np.pi * safe_x * left))
    )
    none = np.where(n == 0, 0.0, n * np.log1p(-rate))
    every = np.where(n == 0, 0.0, n * np.log(rate))
    return np.where(inner, out, np.where(x == 0, none, every))


def _deviance(x: FloatArray, mean: FloatArray) -> FloatArray:
    return mean * entropy_term((x - mean) / mean)
