"""Intervals of two proportions from a distribution of each: melded confidence distributions, and posteriors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from fairsplit.analysis.statistics.logit_beta import beta_nodes
from fairsplit.analysis.statistics.roots import rising_root
from fairsplit.analysis.statistics.status import quiet

if TYPE_CHECKING:
    from collections.abc import Callable

    from fairsplit.analysis.statistics.checks import BoolArray, FloatArray, IntArray

#: Nodes in each piece of a distribution: enough for the six digits of an end.
_NODES = 8
#: The same where one distribution, alone on its side, is cut where the other's begins with a jump.
_CUT_NODES = 24
#: Times as wide in variance a distribution with a jump may be and still give the nodes.
_SMOOTHER = 4.0
#: Rows whose nodes are held at once.
_ROWS = 5_000
#: Stands for a probability of 0 in logarithms.
_TINY = 1e-300
#: Below this rate 1 - rate has lost digits of it.
_SMALL_RATE = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class _Rate:
    """A confidence distribution Beta(a, b) of a rate: all at 0 where a is 0, all at 1 where b is 0."""

    a: FloatArray
    b: FloatArray

    @property
    def fixed(self) -> BoolArray:
        return np.asarray((self.a == 0) | (self.b == 0))

    @property
    def jumps(self) -> BoolArray:
        return np.asarray(np.minimum(self.a, self.b) <= 1.0)

    def width(self, *, is_ratio: bool) -> FloatArray:
        """Variance, relative to the squared mean for ratios."""
        total = self.a + self.b
        absolute = self.a / total * (self.b / total) / (total + 1.0)
        return np.asarray(absolute / (self.a / total) ** 2 if is_ratio else absolute)

    def where(self, mask: BoolArray, other: _Rate) -> _Rate:
        return _Rate(np.where(mask, self.a, other.a), np.where(mask, self.b, other.b))

    def _varying(self) -> tuple[FloatArray, FloatArray]:
        return np.where(self.fixed, 1.0, self.a), np.where(self.fixed, 1.0, self.b)

    def quantile(self, lower: FloatArray) -> FloatArray:
        return np.where(self.fixed, self.b == 0, special.betaincinv(*self._varying(), lower))

    def upper_quantile(self, upper: FloatArray) -> FloatArray:
        return np.where(self.fixed, self.b == 0, special.betainccinv(*self._varying(), upper))

    def nodes(self, each: int) -> tuple[FloatArray, FloatArray]:
        """Rates and their probabilities, shape (rows, nodes), so many in each piece."""
        nodes = beta_nodes(*self._varying(), each)
        alone = np.zeros_like(nodes.weight)
        alone[:, 0] = 1.0
        fixed, place = self.fixed[:, None], (self.b == 0).astype(np.float64)[:, None]
        return np.where(fixed, place, nodes.rate), np.where(fixed, alone, nodes.weight)

    def tail(self, rate: FloatArray, at: IntArray, upper: BoolArray) -> FloatArray:
        """P(X >= rate) where `upper`, else P(X <= rate); rates of shape (rows, nodes), `upper` (rows, 1)."""
        a, b = (v[at, None] for v in self._varying())
        inside = np.clip(rate, 0.0, 1.0)
        # The mirrored lower tail is the upper one, and takes an eighth of the time.
        mirrored = np.broadcast_to(upper, inside.shape) & (inside > _SMALL_RATE)
        plain = np.broadcast_to(~upper, inside.shape)
        smooth = special.betaincc(a, b, inside, where=~(mirrored | plain), out=np.zeros_like(inside))
        smooth = special.betainc(b, a, 1.0 - inside, where=mirrored, out=smooth)
        smooth = special.betainc(a, b, inside, where=plain, out=smooth)
        place = (self.b == 0)[at, None]
        atom = np.where(upper, place >= rate, place <= rate)
        return np.where(self.fixed[at, None], atom, smooth)

    def density(self, rate: FloatArray, at: IntArray) -> FloatArray:
        """Density at the rates, shape (rows, nodes): 0 outside of (0, 1), and of what is fixed."""
        a, b = self._varying()
        scale = special.betaln(a, b)[at, None]
        within = (rate > 0) & (rate < 1) & ~self.fixed[at, None]
        inside = np.where(within, rate, 0.5)
        log = (a[at, None] - 1.0) * np.log(inside) + (b[at, None] - 1.0) * np.log1p(-inside) - scale
        return np.where(within, np.exp(log), 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class _Contrast:
    """Treatment against control under one pair of confidence distributions."""

    control: _Rate
    treatment: _Rate
    each: int = _NODES

    def tail(
        self, *, upper: bool, is_ratio: bool
    ) -> Callable[[FloatArray, IntArray], tuple[FloatArray, FloatArray]]:
        """P(contrast >= point) or P(contrast <= point), by quadrature over one of the two distributions.

        With it goes the density at the point.
        """
        combine = _for_ratio if is_ratio else _for_difference
        width_c, width_t = (arm.width(is_ratio=is_ratio) for arm in (self.control, self.treatment))
        # Where a density begins with a jump, differences must not be cut there by the other's nodes. Logarithms have
        # no such place.
        jumps = (np.False_ if is_ratio else arm.jumps for arm in (self.control, self.treatment))
        weight_c, weight_t = (np.where(jump, _SMOOTHER, 1.0) for jump in jumps)
        control_first = width_c * weight_t < width_t * weight_c
        own_is_control = self.control.fixed | (~self.treatment.fixed & control_first)
        own = self.control.where(own_is_control, self.treatment)
        other = self.treatment.where(own_is_control, self.control)
        rates, weights = own.nodes(self.each)

        def probability(point: FloatArray, at: IntArray) -> tuple[FloatArray, FloatArray]:
            mine = own_is_control[at, None]
            # The treatment's rate that makes the contrast `point`, or the control's.
            wanted = combine(rates[at], point[:, None], mine)
            moved = wanted if is_ratio else 1.0
            beyond = (weights[at] * other.tail(wanted, at, mine == upper)).sum(axis=-1)
            return beyond, (weights[at] * other.density(wanted, at) * moved).sum(axis=-1)

        return probability


def _for_difference(rate: FloatArray, point: FloatArray, is_control: BoolArray) -> FloatArray:
    return np.where(is_control, rate + point, rate - point)


def _for_ratio(rate: FloatArray, log_ratio: FloatArray, is_control: BoolArray) -> FloatArray:
    return rate * np.exp(np.where(is_control, log_ratio, -log_ratio))


@quiet
def melded_interval(
    x_c: FloatArray,
    n_c: FloatArray,
    x_t: FloatArray,
    n_t: FloatArray,
    tails: tuple[FloatArray, FloatArray],
    *,
    mid: bool = True,
) -> tuple[tuple[FloatArray, FloatArray], tuple[FloatArray, FloatArray]]:
    """Intervals of the difference and of the ratio of two rates.

    Each arm has two confidence distributions, Beta(x, n - x + 1) and Beta(x + 1, n - x), whose tails are the
    Clopper-Pearson limits. The lower of one arm melded with the upper of the other gives P(T <= C) equal to Fisher's
    one-sided P(X >= x), and the opposite pair P(X > x). Their even mixture is a distribution of T - C (and of T / C)
    whose mass below 0 (below 1) is Fisher's one-sided *mid-p*; its quantiles are the ends.

    Args:
        x_c: Events of the control, shape (rows,).
        n_c: Units of the control, above 0.
        x_t: Events of the treatment.
        n_t: Units of the treatment, above 0.
        tails: Probability beyond the lower and beyond the upper end, in (0, 1/2).
        mid: Whether half of the observed outcome's own probability counts, else all of it: then each end covers at
            least at its tail, and agrees with Fisher's one-sided test.

    Returns:
        Ends of the difference; ends of the ratio: 0 where the treatment has no event, infinity where the control has
        none.

    Source:
        Fay, Proschan and Brittain (2015), Biometrics 71, 146; mid-p as in Fay's R package exact2x2, `binomMeld.test`.

    Examples:
        >>> one = [np.array([v]) for v in (0.0, 9900.0, 1.0, 100.0)]
        >>> difference, ratio = melded_interval(*one, (np.array([0.025]), np.array([0.025])))
        >>> [float(v[0].round(6)) for v in difference], float(ratio[0][0].round(1))
        ([0.000404, 0.048303], 5.2)
    """

    def solve(given: FloatArray) -> tuple[FloatArray, ...]:
        return _interval(given[0], given[1], given[2], given[3], (given[4], given[5]), mid=mid)

    low, high, ratio_low, ratio_high = _once_each(solve, np.column_stack([x_c, n_c, x_t, n_t, *tails]))
    return (low, high), (ratio_low, ratio_high)


@quiet
def credible_interval(
    x_c: FloatArray, n_c: FloatArray, x_t: FloatArray, n_t: FloatArray, alpha: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Equal-tailed credible interval of the difference of two rates under uniform priors.

    Args:
        x_c: Events of the control, shape (rows,).
        n_c: Units of the control.
        x_t: Events of the treatment.
        n_t: Units of the treatment.
        alpha: One minus the credible level, in (0, 1).

    Returns:
        Lower and upper ends of treatment minus control.

    Source:
        Gelman et al. (2013), Bayesian Data Analysis, 2.4, for the two posteriors Beta(1 + x, 1 + n - x).

    Examples:
        >>> one = [np.array([v]) for v in (10.0, 100.0, 20.0, 100.0, 0.05)]
        >>> [float(end[0].round(4)) for end in credible_interval(*one)]
        [0.0002, 0.1975]
    """

    def solve(given: FloatArray) -> tuple[FloatArray, ...]:
        x_c, n_c, x_t, n_t, alpha = given
        control, treatment = _Rate(x_c + 1.0, n_c - x_c + 1.0), _Rate(x_t + 1.0, n_t - x_t + 1.0)
        posteriors = _Contrast(control, treatment, _CUT_NODES)
        return tuple(
            _end_of((posteriors,), 0.5 * alpha, upper=upper, is_ratio=False) for upper in (False, True)
        )

    low, high = _once_each(solve, np.column_stack([x_c, n_c, x_t, n_t, alpha]))
    return low, high


def _once_each(solve: Callable[[FloatArray], tuple[FloatArray, ...]], rows: FloatArray) -> FloatArray:
    """Ends of every row, shape (ends, rows): days without news, segments and metrics repeat counts."""
    asked, place = np.unique(rows, axis=0, return_inverse=True)
    parts = [
        solve(np.ascontiguousarray(asked[start : start + _ROWS].T))
        for start in range(0, max(len(asked), 1), _ROWS)
    ]
    return np.concatenate(parts, axis=1)[:, place.reshape(-1)]


def _interval(
    x_c: FloatArray,
    n_c: FloatArray,
    x_t: FloatArray,
    n_t: FloatArray,
    tails: tuple[FloatArray, FloatArray],
    *,
    mid: bool,
) -> tuple[FloatArray, ...]:
    low_c, high_c = _Rate(x_c, n_c - x_c + 1.0), _Rate(x_c + 1.0, n_c - x_c)
    low_t, high_t = _Rate(x_t, n_t - x_t + 1.0), _Rate(x_t + 1.0, n_t - x_t)
    both = (_Contrast(high_c, low_t), _Contrast(low_c, high_t))
    out: list[FloatArray] = []
    for is_ratio in (False, True):
        for upper, share in ((False, tails[0]), (True, tails[1])):
            pairs = both if mid else both[1:] if upper else both[:1]
            out.append(_end_of(pairs, share, upper=upper, is_ratio=is_ratio))
    none_t, none_c = x_t == 0, x_c == 0
    return out[0], out[1], np.where(none_t, 0.0, np.exp(out[2])), np.where(none_c, np.inf, np.exp(out[3]))


def _bracket(
    pairs: tuple[_Contrast, ...], share: FloatArray, *, upper: bool, is_ratio: bool
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Points that surely have less, and surely more, than the share beyond them, in rising order, and one near the end.

    Beyond the first at least one of two events of probability share / 2 must happen; beyond the second lies the event
    that both of two independent ones of probability sqrt(share) happen. Independent errors add in squares: the third
    is that far from the contrast of the means (Zou and Donner 2008, Statistics in Medicine 27, 1693).
    """
    sets: list[tuple[FloatArray, FloatArray, FloatArray]] = []
    shrunk = special.ndtri(share) / special.ndtri(0.5 * share)
    for pair in pairs:
        ends: list[tuple[FloatArray, FloatArray]] = [
            (
                pair.treatment.a / (pair.treatment.a + pair.treatment.b),
                pair.control.a / (pair.control.a + pair.control.b),
            )
        ]
        for level in (0.5 * share, np.sqrt(share)):
            if upper:
                ends.append((pair.treatment.upper_quantile(level), pair.control.quantile(level)))
            else:
                ends.append((pair.treatment.quantile(level), pair.control.upper_quantile(level)))
        if is_ratio:
            ends = [(np.log(np.maximum(t, _TINY)), np.log(np.maximum(c, _TINY))) for t, c in ends]
        (mean_t, mean_c), (far_t, far_c), (near_t, near_c) = ends
        off = shrunk * np.hypot(far_t - mean_t, far_c - mean_c)
        sets.append((far_t - far_c, mean_t - mean_c + (off if upper else -off), near_t - near_c))
    outer, starts, inner = (list(each) for each in zip(*sets, strict=True))
    start = sum(starts) / len(starts)
    if upper:
        return np.minimum.reduce(inner), np.maximum.reduce(outer), start
    return np.minimum.reduce(outer), np.maximum.reduce(inner), start


def _end_of(pairs: tuple[_Contrast, ...], share: FloatArray, *, upper: bool, is_ratio: bool) -> FloatArray:
    """The point beyond which the even mixture of the contrasts leaves the share.

    An arm whose every unit (or none) has the event leaves an atom at the edge of the bracket: then the edge is the end.
    """
    low, high, start = _bracket(pairs, share, upper=upper, is_ratio=is_ratio)
    parts = [pair.tail(upper=upper, is_ratio=is_ratio) for pair in pairs]
    scale = np.where(high > low, high - low, 1.0)
    side = -1.0 if upper else 1.0
    goal = special.ndtri(share)

    def excess(step: FloatArray, at: IntArray) -> tuple[FloatArray, FloatArray]:
        tails, densities = zip(*(part(low[at] + step * scale[at], at) for part in parts), strict=True)
        z = special.ndtri(np.clip(sum(tails) / len(parts), _TINY, 1.0))
        # In standard deviations the tail of what is nearly normal is nearly a line.
        slope = sum(densities) / len(parts) * scale[at] * np.sqrt(2 * np.pi) * np.exp(0.5 * z * z)
        return side * (z - goal[at]), slope

    return low + scale * rising_root(excess, (start - low) / scale, tolerance=1e-8)
