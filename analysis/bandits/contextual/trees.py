"""Policy trees: of all trees of a depth over the levels of features, the one whose arms score best; exact search."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fairsplit.analysis.statistics.checks import BoolArray, FloatArray, IntArray

#: Levels of a feature up to which every subset is tried; beyond, each level against the rest.
MOST_SUBSETS = 5
#: A split has to score more by this share of all scores' size: no leaf stands for floating dust.
_DUST = 1e-12


@dataclass(frozen=True, slots=True)
class TreeLeaf:
    """Where a tree ends: the arm that its contexts get.

    Attributes:
        when: The levels by position of the feature; a context is in the first leaf of a tree that it fits, and the last
            leaf asks nothing.
        arm: Position of the arm.
    """

    when: tuple[tuple[int, frozenset[int]], ...]
    arm: int


@dataclass(frozen=True, slots=True)
class _Split:
    feature: int
    levels: frozenset[int]
    inside: BoolArray


@dataclass(frozen=True, slots=True)
class _Tree:
    score: float
    arm: int
    split: _Split | None = None
    left: _Tree | None = None
    right: _Tree | None = None
    size: int = 1

    def leaves(self) -> Iterator[TreeLeaf]:
        if self.split is None or self.left is None or self.right is None:
            yield TreeLeaf((), self.arm)
            return
        for leaf in self.left.leaves():
            yield TreeLeaf(_and(self.split, leaf.when), leaf.arm)
        yield from self.right.leaves()


def best_tree(
    scores: FloatArray, codes: IntArray, named: Sequence[int], *, depth: int
) -> tuple[TreeLeaf, ...]:
    """The leaves of the tree that earns most.

    A split parts the contexts by whether a feature's level is one of a set. Sets never hold the level that stands for
    all others, so that whatever is seen later has a leaf: the last one that fits.

    Args:
        scores: Summed score of each arm for the units of each context, shape (contexts, arms); higher is better.
        codes: Level of each feature in each context, shape (contexts, features).
        named: Of each feature the number of levels that have a name; a code beyond stands for all others.
        depth: Most splits from the whole to a leaf.

    Returns:
        Leaves in order; the last asks nothing. Of trees that earn the same, one with fewer leaves.

    Source:
        Zhou, Athey & Wager (2023), Offline Multi-Action Policy Learning, Operations Research 71(1), section 4: exact
        search over trees on doubly robust scores. Here over cells and sets of levels.

    Examples:
        >>> best_tree(np.array([[3.0, 1.0], [0.0, 2.0]]), np.array([[0], [1]]), [2], depth=1)
        (TreeLeaf(when=((0, frozenset({1})),), arm=1), TreeLeaf(when=(), arm=0))
    """
    splits = list(_splits(codes, named))
    search = _Search(scores, splits, _DUST * float(np.abs(scores).sum()))
    tree = search.best(np.ones(codes.shape[0], dtype=np.bool_), depth)
    return tuple(tree.leaves())


def arms_of(leaves: Sequence[TreeLeaf], codes: IntArray) -> IntArray:
    """The arm of each context, shape (contexts,).

    Args:
        leaves: From `best_tree`.
        codes: As there.
    """
    return np.array([leaves[place].arm for place in places_of(leaves, codes)], dtype=np.int64)


def places_of(leaves: Sequence[TreeLeaf], codes: IntArray) -> IntArray:
    """The position of each context's leaf, shape (contexts,).

    Args:
        leaves: From `best_tree`.
        codes: As there.
    """
    return np.array(
        [
            next(
                place
                for place, leaf in enumerate(leaves)
                if all(int(context[feature]) in levels for feature, levels in leaf.when)
            )
            for context in codes
        ],
        dtype=np.int64,
    )


class _Search:
    """Depth-first with what is known kept: the same contexts are met by many ways."""

    def __init__(self, scores: FloatArray, splits: list[_Split], least: float) -> None:
        self._scores, self._splits, self._least = scores, splits, least
        self._known: dict[tuple[bytes, int], _Tree] = {}
        self._inside = np.array([split.inside for split in splits], dtype=np.float64).reshape(
            len(splits), scores.shape[0]
        )

    def best(self, among: BoolArray, depth: int) -> _Tree:
        key = (among.tobytes(), depth)
        if key not in self._known:
            self._known[key] = self._search(among, depth)
        return self._known[key]

    def _search(self, among: BoolArray, depth: int) -> _Tree:
        whole = self._scores[among].sum(axis=0)
        arm = int(whole.argmax())
        best = _Tree(float(whole[arm]), arm)
        if depth == 0 or not self._splits:
            return best
        counts = self._inside @ among
        useful = np.flatnonzero((counts > 0) & (counts < among.sum()))
        if depth == 1:
            left = (self._inside[useful] * among) @ self._scores
            useful = useful[np.argsort(-(left.max(axis=1) + (whole - left).max(axis=1)), kind="stable")[:1]]
        for number in useful:
            split = self._splits[number]
            one, other = (self.best(among & side, depth - 1) for side in (split.inside, ~split.inside))
            score, size = one.score + other.score, one.size + other.size
            is_better = score > best.score + self._least
            if is_better or (size < best.size and score > best.score - self._least):
                best = _Tree(score, arm, split, one, other, size)
        return best


def _splits(codes: IntArray, named: Sequence[int]) -> Iterator[_Split]:
    for feature, count in enumerate(named):
        has_others = bool((codes[:, feature] >= count).any())
        sizes = range(1, 2)
        if count <= MOST_SUBSETS:
            # Of a set and its complement one is enough: the smaller.
            sizes = range(1, count + 1) if has_others else range(1, count // 2 + 1)
        for size in sizes:
            for levels in combinations(range(count), size):
                if not has_others and 2 * size == count and 0 in levels:
                    continue
                yield _Split(feature, frozenset(levels), np.isin(codes[:, feature], levels))


def _and(
    split: _Split, when: tuple[tuple[int, frozenset[int]], ...]
) -> tuple[tuple[int, frozenset[int]], ...]:
    asked = dict(when)
    asked[split.feature] = asked.get(split.feature, split.levels) & split.levels
    return tuple(sorted(asked.items()))
