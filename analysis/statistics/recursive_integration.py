"""Distribution of a statistic looked at repeatedly: recursive integration of many designs at once.

Armitage, McPherson and Rowe (1969), JRSS A 132, 235; Jennison and Turnbull (2000), chapter 19. The score
process S has independent increments S_k - S_{k-1} ~ N(drift (I_k - I_{k-1}), I_k - I_{k-1}); Z_k = S_k /
sqrt(I_k). The sub-density of S_k on the continuation region is held at Gauss-Legendre nodes: the region is
finite and the sub-density analytic, so that some tens of nodes give nine digits where Simpson's rule needs
hundreds.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fairsplit.analysis.statistics.checks import BoolArray, FloatArray, IntArray

#: Standard deviations beyond which a normal density is left out (mass 8e-24 each side).
REACH = 10.0
#: Measured on even, uneven and clustered looks against four times as many nodes: 1.3 leave 1e-7 in a bound.
NODES_PER_DEVIATION = 1.3
#: Nodes used; designs are batched by the smallest class that resolves their narrowest increment.
NODE_CLASSES = (24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
#: A look whose information has grown by less than this share since the last one is no look (see
#: `looks_taken`).
SMALLEST_GROWTH = 1e-3
#: Kernel cells evaluated at once (8 MB of doubles).
_CELLS = 1_000_000
_NEWTON_STEPS = 60
#: The ends of the region cost a few nodes whatever its width.
_SPARE_NODES = 8.0


@lru_cache(maxsize=len(NODE_CLASSES))
def _gauss_legendre(nodes: int) -> tuple[FloatArray, FloatArray]:
    x, w = np.polynomial.legendre.leggauss(nodes)
    return x, w


def looks_taken(information: FloatArray) -> BoolArray:
    """Which looks count: information has grown by at least a thousandth since the last counted look.

    Args:
        information: Shape (designs, looks), NaN where a design has no such look.

    Returns:
        Shape (designs, looks).
    """
    taken = np.zeros(information.shape, dtype=np.bool_)
    last = np.zeros(information.shape[0])
    for k in range(information.shape[1]):
        now = np.nan_to_num(information[:, k])
        taken[:, k] = now * (1.0 - SMALLEST_GROWTH) > last
        last = np.where(taken[:, k], now, last)
    return taken


def batches(
    information: FloatArray, taken: BoolArray, reach: FloatArray | float = 6.0
) -> Iterator[tuple[IntArray, int]]:
    """Designs grouped by the number of nodes they need, in chunks that fit the cache.

    Args:
        information: Shape (designs, looks).
        taken: Looks that count, same shape.
        reach: Half-width of the continuation regions to resolve, in standard deviations, broadcastable to the
            shape of `information`.

    Yields:
        Row numbers and the number of nodes.
    """
    wanted = nodes_by_look(information, taken, reach)[:, -1]
    for nodes in np.unique(wanted):
        yield from _chunks(np.flatnonzero(wanted == nodes), int(nodes))


def batches_by_look(wanted: IntArray) -> Iterator[tuple[IntArray, int]]:
    """Designs once for every number of nodes that some look of theirs is answered with.

    A bound that has been published must not move when later, closer looks ask for more nodes: a look is answered
    with the nodes that the looks up to it need.

    Args:
        wanted: From `nodes_by_look`.

    Yields:
        Row numbers and the number of nodes.
    """
    for nodes in np.unique(wanted):
        yield from _chunks(np.flatnonzero((wanted == nodes).any(axis=1)), int(nodes))


def _chunks(rows: IntArray, nodes: int) -> Iterator[tuple[IntArray, int]]:
    size = max(1, _CELLS // nodes**2)
    for start in range(0, rows.size, size):
        yield rows[start : start + size], nodes


def nodes_by_look(information: FloatArray, taken: BoolArray, reach: FloatArray | float) -> IntArray:
    """Enough nodes per standard deviation of the narrower of the two increments that meet at a look.

    Args:
        information: Shape (designs, looks).
        taken: Looks that count, same shape.
        reach: As in `batches`.

    Returns:
        The class that resolves all looks up to and including each, shape (designs, looks), never falling.
    """
    need = np.zeros(information.shape)
    wide = np.broadcast_to(reach, information.shape)
    last = np.zeros(information.shape[0])
    growth_before = np.ones(information.shape[0])
    for k in range(information.shape[1]):
        now = np.where(taken[:, k], np.nan_to_num(information[:, k]), last)
        step = now - last
        safe_last = np.where(last > 0, last, 1.0)
        after = np.where(last > 0, np.sqrt(step / safe_last), 1.0)
        width = 2.0 * np.minimum(REACH, np.maximum(wide[:, k], 1.0))
        narrow = np.minimum(growth_before, after)
        need[:, k] = np.where(taken[:, k], NODES_PER_DEVIATION * width / np.maximum(narrow, 1e-9), 0.0)
        growth_before = np.where(taken[:, k], np.sqrt(step / np.where(now > 0, now, 1.0)), growth_before)
        last = now
    classes = np.asarray(NODE_CLASSES)
    place = np.searchsorted(classes, np.maximum.accumulate(need, axis=1) + _SPARE_NODES)
    return classes[np.minimum(place, classes.size - 1)]


@dataclass(slots=True)
class Walk:
    """Sub-density of the score on the continuation region of the last look, for a batch of designs.

    Attributes:
        score: Nodes, shape (designs, nodes).
        mass: Density times quadrature weight at the nodes; sums to P(not stopped yet).
        information: At the last counted look, shape (designs,).
        drift: Mean of the score per unit of information, shape (designs,).
    """

    score: FloatArray
    mass: FloatArray
    information: FloatArray
    drift: FloatArray

    @classmethod
    def start(cls, drift: FloatArray, nodes: int) -> Walk:
        """Before the first look: all mass at score 0."""
        score = np.zeros((drift.size, nodes))
        mass = np.zeros((drift.size, nodes))
        mass[:, 0] = 1.0
        return cls(score, mass, np.zeros(drift.size), drift)

    def _standardised(self, bound: FloatArray, information: FloatArray) -> tuple[FloatArray, FloatArray]:
        step = information - self.information
        inverse = 1.0 / np.sqrt(np.where(step > 0, step, 1.0))
        edge = bound * np.sqrt(information) - self.drift * step
        return (edge[:, None] - self.score) * inverse[:, None], inverse

    def above(self, bound: FloatArray, information: FloatArray) -> FloatArray:
        """P(reach this look and Z > bound)."""
        x, _ = self._standardised(bound, information)
        return np.asarray(np.einsum("ij,ij->i", self.mass, special.ndtr(-x)), dtype=np.float64)

    def below(self, bound: FloatArray, information: FloatArray) -> FloatArray:
        """P(reach this look and Z < bound)."""
        x, _ = self._standardised(bound, information)
        return np.asarray(np.einsum("ij,ij->i", self.mass, special.ndtr(x)), dtype=np.float64)

    def density(self, bound: FloatArray, information: FloatArray) -> FloatArray:
        """Sub-density of Z at the bound."""
        x, inverse = self._standardised(bound, information)
        phi = np.exp(-0.5 * x * x) * (1.0 / np.sqrt(2.0 * np.pi))
        return np.asarray(
            np.einsum("ij,ij->i", self.mass, phi) * inverse * np.sqrt(information), dtype=np.float64
        )

    def advance(
        self, lower: FloatArray, upper: FloatArray, information: FloatArray, taken: BoolArray
    ) -> None:
        """Go on to this look, keeping what lies between the bounds; rows not taken stay where they are."""
        root = np.sqrt(information)
        centre = self.drift * root
        low = np.maximum(lower, centre - REACH)
        high = np.maximum(np.minimum(upper, centre + REACH), low)
        x, w = _gauss_legendre(self.score.shape[1])
        half = 0.5 * (high - low)
        score = (0.5 * (high + low)[:, None] + half[:, None] * x) * root[:, None]
        step = information - self.information
        inverse = 1.0 / np.sqrt(np.where(step > 0, step, 1.0))
        scaled_new = (score - (self.drift * step)[:, None]) * inverse[:, None]
        scaled_old = self.score * inverse[:, None]
        kernel = scaled_new[:, :, None] - scaled_old[:, None, :]
        np.multiply(kernel, kernel, out=kernel)
        kernel *= -0.5
        np.exp(kernel, out=kernel)
        density = np.matmul(kernel, self.mass[:, :, None])[:, :, 0]
        scale = half * root * inverse / np.sqrt(2.0 * np.pi)
        mass = density * scale[:, None] * w
        keep = taken[:, None]
        self.score = np.where(keep, score, self.score)
        self.mass = np.where(keep, mass, self.mass)
        self.information = np.where(taken, information, self.information)

    def _outermost(self, error: FloatArray, information: FloatArray, side: float) -> FloatArray:
        """A bound at least as far out as the one sought, tight enough that its tail does not underflow.

        The tail is below that of the unstopped normal, and below that of a walk which left from the edge.
        """
        quantile = special.ndtri(np.minimum(error, 0.5))
        step = np.maximum(information - self.information, 0.0)
        edge = np.max(side * self.score, axis=1) + side * self.drift * step - quantile * np.sqrt(step)
        root = np.sqrt(np.where(information > 0, information, 1.0))
        return np.asarray(
            side * np.minimum(side * self.drift * root - quantile, edge / root), dtype=np.float64
        )

    def solve_above(self, error: FloatArray, information: FloatArray) -> FloatArray:
        """The bound that Z exceeds, for the first time now, with the given probability; +inf for 0."""
        start = self._outermost(error, information, 1.0)
        z = _solve(error, start, lambda b: (self.above(b, information), -self.density(b, information)))
        return np.where(error > 0, z, np.inf)

    def solve_below(self, error: FloatArray, information: FloatArray) -> FloatArray:
        """The bound that Z falls below, for the first time now, with the given probability; -inf for 0."""
        start = self._outermost(error, information, -1.0)
        z = _solve(error, start, lambda b: (self.below(b, information), self.density(b, information)))
        return np.where(error > 0, z, -np.inf)


def _solve(
    error: FloatArray,
    start: FloatArray,
    tail: Callable[[FloatArray], tuple[FloatArray, FloatArray]],
) -> FloatArray:
    """Newton on the log tail.

    A sub-density of normals cut off at bounds is log-concave, hence so is its tail; started from the outside
    (the sub-density lies below the marginal normal density) Newton then falls monotonically on to the root.
    """
    active = error > 0
    z = np.where(active, start, 0.0)
    goal = np.log(np.where(active, error, 1.0))
    # a row that has settled stays, so that its bits do not depend on the rows beside it
    for _ in range(_NEWTON_STEPS):
        p, slope = tail(z)
        good = active & (p > 0) & (slope != 0)
        ratio = np.where(good, p, 1.0) / np.where(good, slope, 1.0)
        change = np.where(good, (np.log(np.where(good, p, 1.0)) - goal) * ratio, 0.0)
        z = z - change
        active = active & (np.abs(change) > 1e-11 * (1.0 + np.abs(z)))
        if not active.any():
            break
    return z
