"""Lines of cut-offs: what one comparison showed day after day, as rows of a padded matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from fairsplit.analysis.statistics.checks import BoolArray, FloatArray, IntArray

_LINE = ("experiment_id", "metric", "segment", "segment_level", "analysis", "variant_id")


@dataclass(frozen=True, slots=True)
class Lines:
    """Row and column of each pair in a (line, look) matrix padded at the end.

    Attributes:
        row: Line of each pair, shape (pairs,).
        column: Its place among the cut-offs of the line.
        shape: Lines and the largest number of cut-offs.
    """

    row: IntArray
    column: IntArray
    shape: tuple[int, int]

    @classmethod
    def of(cls, pairs: pl.DataFrame) -> Lines:
        """One line for each comparison; the pairs are sorted by cut-off inside it."""
        key = pl.struct(_LINE).rank("dense").cast(pl.Int64) - 1
        return cls.numbered(pairs.select(key).to_series().to_numpy())

    @classmethod
    def numbered(cls, line: IntArray) -> Lines:
        """Lines by their numbers, which leave no gap."""
        order = np.argsort(line, kind="stable")
        counts = np.bincount(line[order])
        column = np.empty(line.size, dtype=np.int64)
        column[order] = np.arange(line.size) - np.repeat(np.cumsum(counts) - counts, counts)
        return cls(line, column, (counts.size, int(counts.max(initial=0))))

    def part(self, index: IntArray) -> Lines:
        """The lines of some of the pairs, numbered anew."""
        return Lines.numbered(np.unique(self.row[index], return_inverse=True)[1])

    def matrix(self, values: np.ndarray[Any, Any], padding: Any) -> Any:
        """Values of the pairs as a matrix."""
        full = np.full(self.shape, padding, dtype=values.dtype)
        full[self.row, self.column] = values
        return full

    def along(self, ufunc: np.ufunc, values: np.ndarray[Any, Any]) -> Any:
        """A running minimum, maximum or "or" along each line."""
        if values.size == 0:
            return values
        return ufunc.accumulate(self.matrix(values, 0), axis=1)[self.row, self.column]

    def rising(self, values: FloatArray) -> FloatArray:
        """Running maxima as a matrix, NaN after the last cut-off of a line."""
        absent = ~self.matrix(np.ones(values.size, dtype=np.bool_), padding=False)
        return np.where(absent, np.nan, np.maximum.accumulate(self.matrix(values, 0.0), axis=1))

    def latest(self, there: BoolArray) -> IntArray:
        """The pair, at this or an earlier cut-off of the line, that was there last; -1 where none was."""
        if there.size == 0:
            return np.zeros(0, dtype=np.int64)
        numbers = self.matrix(np.arange(there.size), -1)
        place = self.matrix(np.where(there, self.column, -1), -1)
        last = np.maximum.accumulate(place, axis=1)[self.row, self.column]
        found: IntArray = np.where(last >= 0, numbers[self.row, np.maximum(last, 0)], -1)
        return found

    def first(self, there: BoolArray) -> BoolArray:
        """Where something is there for the first time in its line."""
        before = self.along(np.add, there.astype(np.int64)) - there
        return np.asarray(there & (before == 0))
