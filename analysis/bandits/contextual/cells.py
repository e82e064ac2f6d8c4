"""Sums of a contextual bandit by fold, phase, context and arm: everything that is learned is learned from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairsplit.analysis.statistics.checks import FloatArray, IntArray

#: The level that stands for all that are rare or were never seen.
OTHERS = None
#: Levels of a feature that have one of their own; the others are taken together.
MOST_LEVELS = 20


@dataclass(frozen=True, slots=True)
class Cells:
    """Sums of closed reward windows. A unit counts once, in the fold of its hash.

    Attributes:
        n: Units, shape (folds, pieces, contexts, arms); a piece is a phase or a leaf of one.
        mean: Their mean reward, 0 where there is none.
        m2: Their squared deviations from it.
        share: Probability of the arm for every unit of the piece, shape (pieces, arms).
        period: Number of the phase in time of each piece, shape (pieces,).
        levels: Names of the levels of each feature; `OTHERS` is the last where there is one.
        codes: Level of each feature in each context, shape (contexts, features).
    """

    n: FloatArray
    mean: FloatArray
    m2: FloatArray
    share: FloatArray
    period: IntArray
    levels: tuple[tuple[str | None, ...], ...]
    codes: IntArray

    @property
    def folds(self) -> int:
        """How many folds there are."""
        return int(self.n.shape[0])

    def only(self, folds: Sequence[int]) -> Cells:
        """The sums of these folds."""
        kept = list(folds)
        return Cells(
            self.n[kept], self.mean[kept], self.m2[kept], self.share, self.period, self.levels, self.codes
        )


def coded(
    contexts: Sequence[Sequence[str]], units: Sequence[int]
) -> tuple[tuple[tuple[str | None, ...], ...], IntArray]:
    """Levels of each feature by number, rare ones together.

    Args:
        contexts: Level of each feature, one row per context.
        units: Units of each context.

    Returns:
        Names of the levels, most units first and ties by name, and the codes of shape (contexts, features).

    Examples:
        >>> coded([("web", "US"), ("ios", "US")], [3, 5])
        ((('ios', 'web'), ('US',)), array([[1, 0],
               [0, 0]]))
    """
    names: list[tuple[str | None, ...]] = []
    columns = []
    for position in range(len(contexts[0])):
        totals: dict[str, int] = {}
        for context, count in zip(contexts, units, strict=True):
            totals[context[position]] = totals.get(context[position], 0) + count
        ranked = sorted(totals, key=lambda level: (-totals[level], level))
        kept = ranked if len(ranked) <= MOST_LEVELS else ranked[: MOST_LEVELS - 1]
        names.append((*kept, *([OTHERS] if len(kept) < len(ranked) else ())))
        places = {level: place for place, level in enumerate(kept)}
        columns.append([places.get(context[position], len(kept)) for context in contexts])
    return tuple(names), np.array(columns, dtype=np.int64).T
