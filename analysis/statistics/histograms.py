"""Value histograms of two arms, many comparisons in one long array, for rank and quantile methods."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fairsplit.analysis.statistics.checks import as_counts, as_floats, refuse
from fairsplit.analysis.statistics.moments import Moments
from fairsplit.analysis.statistics.status import quiet

if TYPE_CHECKING:
    from fairsplit.analysis.statistics.checks import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Histograms:
    """Distinct values with the units of both arms that have them, sorted by comparison and value.

    Attributes:
        size: Number of comparisons.
        group: Comparison of each cell, shape (cells,).
        value: Value of each cell, increasing within a comparison.
        control: Units of the control with this value.
        treatment: Units of the treatment with this value.
        start: First cell of each comparison, shape (size + 1,).
    """

    size: int
    group: IntArray
    value: FloatArray
    control: FloatArray
    treatment: FloatArray
    start: IntArray

    @classmethod
    def from_long(cls, group: Any, value: Any, units: Any, is_treatment: Any, size: int) -> Histograms:
        """From one row per comparison, arm and value.

        Args:
            group: Comparison of each row, 0 to size - 1.
            value: Value of each row.
            units: Units with that value.
            is_treatment: Whether the row is the treatment's.
            size: Number of comparisons.

        Raises:
            InputError: For NaN, negative or fractional units, comparisons outside the range, unequal lengths.

        Examples:
            >>> arm = [False, False, True]
            >>> h = Histograms.from_long([0, 0, 0], [2.0, 1.0, 2.0], [5, 3, 4], arm, 1)
            >>> h.value, h.control, h.treatment
            (array([1., 2.]), array([3., 5.]), array([0., 4.]))
        """
        g = np.asarray(group, dtype=np.int64)
        v, u = np.atleast_1d(as_floats(value, "value")), np.atleast_1d(as_counts(units, "units"))
        arm = np.asarray(is_treatment, dtype=np.bool_)
        if not (g.shape == v.shape == u.shape == arm.shape and g.ndim == 1):
            raise refuse("shape_mismatch", "rows differ in length", "group, value, units, is_treatment")
        if g.size and (g.min() < 0 or g.max() >= size):
            raise refuse("out_of_range", "comparison outside the range", "group", rule=f"0 to {size - 1}")
        kept = u > 0
        g, v, u, arm = g[kept], v[kept], u[kept], arm[kept]
        order = np.lexsort((v, g))
        g, v, u, arm = g[order], v[order], u[order], arm[order]
        new = np.ones(g.size, dtype=np.bool_)
        new[1:] = (g[1:] != g[:-1]) | (v[1:] != v[:-1])
        cell = np.cumsum(new) - 1
        cells = int(new.sum())
        control = np.bincount(cell, weights=np.where(arm, 0.0, u), minlength=cells)
        treatment = np.bincount(cell, weights=np.where(arm, u, 0.0), minlength=cells)
        start = np.searchsorted(g[new], np.arange(size + 1))
        return cls(size, g[new], v[new], control.astype(np.float64), treatment.astype(np.float64), start)

    @classmethod
    def from_values(cls, control: Any, treatment: Any) -> Histograms:
        """From raw values of two arms: one comparison (one-dimensional) or many (shape (comparisons, units)).

        Raises:
            InputError: For NaN, infinities, truth values; ``shape_mismatch`` for unequal comparisons.

        Examples:
            >>> Histograms.from_values([1.0, 1.0, 2.0], [2.0]).control
            array([2., 1.])
        """
        c, t = np.atleast_2d(as_floats(control, "control")), np.atleast_2d(as_floats(treatment, "treatment"))
        if c.shape[0] != t.shape[0] or c.ndim != 2 or t.ndim != 2:
            raise refuse(
                "shape_mismatch", "arms differ in comparisons", "treatment", value=t.shape, rule=f"{c.shape}"
            )
        rows = np.arange(c.shape[0])
        return cls.from_long(
            np.concatenate([np.repeat(rows, c.shape[1]), np.repeat(rows, t.shape[1])]),
            np.concatenate([c.ravel(), t.ravel()]),
            np.ones(c.size + t.size),
            np.concatenate([np.zeros(c.size, dtype=np.bool_), np.ones(t.size, dtype=np.bool_)]),
            c.shape[0],
        )

    def total(self, cells: FloatArray) -> FloatArray:
        """Sum of a number per cell over each comparison."""
        return np.bincount(self.group, weights=cells, minlength=self.size).astype(np.float64)

    def running(self, cells: FloatArray) -> FloatArray:
        """Running sum of whole numbers within each comparison, the cell itself included."""
        # In integers: over many comparisons a float's running sum would pass 2**53.
        whole = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(cells.astype(np.int64))])
        out: FloatArray = (whole[1:] - whole[self.start[:-1]][self.group]).astype(np.float64)
        return out

    @property
    def n_control(self) -> FloatArray:
        """Units of the control, per comparison."""
        return self.total(self.control)

    @property
    def n_treatment(self) -> FloatArray:
        """Units of the treatment, per comparison."""
        return self.total(self.treatment)

    def flipped(self) -> Histograms:
        """The same comparisons with the arms swapped."""
        return Histograms(self.size, self.group, self.value, self.treatment, self.control, self.start)

    def moments(self, values: FloatArray | None = None) -> tuple[Moments, Moments]:
        """Moments of both arms, of the cells' values or of others given per cell (capped ones, say)."""
        x = self.value if values is None else values
        return self._moments(x, self.control), self._moments(x, self.treatment)

    def _moments(self, x: FloatArray, units: FloatArray) -> Moments:
        n = self.total(units)
        safe = np.maximum(n, 1.0)
        rough = self.total(units * x) / safe
        mean = rough + self.total(units * (x - rough[self.group])) / safe
        return Moments(n, mean, self.total(units * (x - mean[self.group]) ** 2))

    def order_statistic(self, units: FloatArray, rank: FloatArray) -> FloatArray:
        """The value of a 1-based rank among the units given per cell; NaN for ranks outside 1 to n.

        Args:
            units: Units per cell (control, treatment or their sum).
            rank: Rank per comparison.

        Returns:
            Values per comparison.

        Examples:
            >>> h = Histograms.from_values([1.0, 1.0, 5.0], [2.0])
            >>> h.order_statistic(h.control, np.array([3.0]))
            array([5.])
        """
        reached = self.running(units)
        below = self.total((reached < rank[self.group]).astype(np.float64)).astype(np.int64)
        position = np.minimum(self.start[:-1] + below, np.maximum(self.start[1:] - 1, 0))
        inside: BoolArray = np.asarray((rank >= 1) & (rank <= self.total(units)))
        if not self.value.size:
            return np.full(self.size, np.nan)
        return np.where(inside, self.value[np.minimum(position, self.value.size - 1)], np.nan)

    @quiet
    def quantile(self, units: FloatArray, p: FloatArray) -> FloatArray:
        """Type-7 quantile (linear interpolation of order statistics) per comparison.

        Args:
            units: Units per cell.
            p: Probability per comparison, in [0, 1].

        Returns:
            Values; NaN without units.

        Examples:
            >>> h = Histograms.from_values([1.0, 1.0, 5.0], [2.0])
            >>> h.quantile(h.control, np.array([0.75]))
            array([3.])
        """
        n = self.total(units)
        place = (n - 1.0) * p
        rank = np.floor(place)
        low = self.order_statistic(units, rank + 1.0)
        high = self.order_statistic(units, np.minimum(rank + 2.0, n))
        return low + (place - rank) * (high - low)
