"""What a policy is worth beside every fixed arm: doubly robust scores, fold after fold, from the sums of cells.

The score of arm a for a unit is m(a) + 1{W = a} k (Y - m(a)) / e(a): the model's prediction, corrected by what the unit
itself showed. e is the share that was in force, m is learned from the other folds, and k is 0 where 1 / e is beyond the
switch. Units are the rows of the sums, so that errors are those of independent units.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fairsplit.analysis.bandits.contextual.linear import fit
from fairsplit.analysis.bandits.contextual.trees import arms_of, best_tree, places_of
from fairsplit.analysis.statistics.confidence_sequences import sequence_multiplier
from fairsplit.analysis.statistics.status import quiet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairsplit.analysis.bandits.contextual.cells import Cells
    from fairsplit.analysis.bandits.contextual.linear import RewardModel
    from fairsplit.analysis.bandits.contextual.trees import TreeLeaf
    from fairsplit.analysis.statistics.checks import BoolArray, FloatArray, IntArray


#: Folds that are learned from before the first one is judged.
LEARN_FIRST = 2


@dataclass(frozen=True, slots=True)
class Learned:
    """A policy, and its worth as learned from some folds and judged by the others.

    Attributes:
        leaves: The tree of all folds.
        units: Units of the folds that were judged; value, gaps and what fixed arms are worth are theirs.
        value: Mean reward under the policy.
        value_se: Its standard error.
        fixed: Mean reward under each fixed arm, shape (arms,).
        gap: Value minus that of each fixed arm, shape (arms,).
        gap_se: Its standard error; 0 for an arm that the policy gives to everybody.
        switch: Weight beyond which the model stands alone; infinite where none is.
        bias: Most by which the switch can bias the gap to each fixed arm, shape (arms,).
        value_bias: The same of the value.
        of_arm: Score of each arm in each context, summed over units, shape (contexts, arms): all folds.
        of_context: Units of each context, shape (contexts,).
        leaf_gap: Mean score of each leaf's arm minus that of every arm, in the leaf, shape (leaves, arms).
        leaf_gap_se: Its standard error.
    """

    leaves: tuple[TreeLeaf, ...]
    units: float
    value: float
    value_se: float
    fixed: FloatArray
    gap: FloatArray
    gap_se: FloatArray
    switch: float
    bias: FloatArray
    value_bias: float
    of_arm: FloatArray
    of_context: FloatArray
    leaf_gap: FloatArray
    leaf_gap_se: FloatArray


@dataclass(frozen=True, slots=True)
class _Judged:
    """Sums over the units of one fold and what the model says of them; shapes (pieces, contexts, arms)."""

    units: FloatArray
    n: FloatArray
    model: FloatArray
    residual: FloatArray
    squares: FloatArray


def learn(cells: Cells, *, depth: int, reach: float) -> Learned:
    """Learn a policy and judge it by units that it was not learned from.

    Fold after fold a tree is learned from the folds before and judged on the next one, with models of the folds before;
    the value is the mean over the folds judged. Learned crosswise, from the folds before and after alike, trees would
    follow the luck of one another's folds wherever arms are alike, and the error would be too small. The policy itself
    is learned from all folds, each scored by a model of the others.

    Args:
        cells: Sums with units in every fold, of more than `LEARN_FIRST` folds; a higher reward is better.
        depth: Most splits from the whole to a leaf.
        reach: A bound of the distance between a reward's mean and what the model says of it.

    Returns:
        `Learned`.

    Source:
        Dudík, Erhan, Langford & Li (2014), Doubly Robust Policy Evaluation and Optimization, Statistical Science 29(4),
        eq. 3.5; Wang, Agarwal & Dudík (2017), Optimal and Adaptive Off-policy Evaluation in Contextual Bandits, ICML,
        eq. 6 (SWITCH-DR) and section 5 (choice of the switch by the bound of the bias); Zhou, Athey & Wager (2023),
        Operations Research 71(1), section 3 (cross-fitted scores); Luedtke & van der Laan (2016), Annals of Statistics
        44(2), section 4 (one fold after the other, valid where no arm is best).
    """
    folds = range(cells.folds)
    named = [sum(name is not None for name in names) for names in cells.levels]
    # The trees need a switch before there is a value to choose it by: every weight counts.
    weight, _ = _weights(cells.share, np.inf)
    policies, held = [], []
    for fold in range(LEARN_FIRST, cells.folds):
        past = range(fold)
        tree = best_tree(_scored(cells, past, weight), cells.codes, named, depth=depth)
        policies.append(arms_of(tree, cells.codes))
        held.append(_judge(cells, fold, fit(cells.only(past))))
    switch = _switch(cells, held, policies, reach)
    weight, kept = _weights(cells.share, switch)
    arms = cells.n.shape[-1]
    fixed = [[np.full_like(policy, arm) for policy in policies] for arm in range(arms)]
    value, square = _sums(held, policies, weight)
    units = float(sum(part.units.sum() for part in held))
    gaps = [_sums(held, policies, weight, one) for one in fixed]
    of_arm = _scored(cells, folds, weight)
    leaves = best_tree(of_arm, cells.codes, named, depth=depth)
    every = [_judge(cells, fold, fit(cells.only(_others(folds, fold)))) for fold in folds]
    leaf_gap, leaf_gap_se = _leaf_gaps(every, leaves, places_of(leaves, cells.codes), weight)
    return Learned(
        leaves=leaves,
        units=units,
        value=value / units,
        value_se=_error(value, square, units),
        fixed=np.array([_sums(held, one, weight)[0] / units for one in fixed]),
        gap=np.array([total / units for total, _ in gaps]),
        gap_se=np.array([_error(total, squared, units) for total, squared in gaps]),
        switch=switch,
        bias=np.array([reach * _beyond(held, policies, kept, one) / units for one in fixed]),
        value_bias=reach * _beyond(held, policies, kept) / units,
        of_arm=of_arm,
        of_context=np.asarray(sum(part.units.sum(axis=0) for part in every)),
        leaf_gap=leaf_gap,
        leaf_gap_se=leaf_gap_se,
    )


def _others(folds: Sequence[int], fold: int) -> list[int]:
    return [one for one in folds if one != fold]


def _scored(cells: Cells, folds: Sequence[int], weight: FloatArray) -> FloatArray:
    """Summed scores of some folds, each by a model of the others among them, shape (contexts, arms)."""
    parts = [_judge(cells, fold, fit(cells.only(_others(folds, fold)))) for fold in folds]
    return np.asarray(sum(_scores(part, weight).sum(axis=0) for part in parts))


def lower_bounds(learned: Learned, *, alpha: float, planned: float) -> FloatArray:
    """By how much a policy is worth more than each arm for all at the least, at every look together.

    A policy is better than one arm for all where every bound is above 0: to call it so wrongly, the bound of the arm
    that is at least as good must be wrong, so that the level needs no correction for the number of arms.

    Args:
        learned: From `learn`.
        alpha: The error, one-sided.
        planned: Units at which the bounds are tightest; it must not depend on the data.

    Returns:
        Shape (arms,).

    Raises:
        InputError: As `sequence_multiplier`.

    Source:
        Waudby-Smith et al. (2024), asymptotic confidence sequences; Berger (1982) for the intersection of claims.
    """
    bound = float(sequence_multiplier(learned.units, planned, alpha, alternative="greater"))
    return np.asarray(learned.gap - bound * learned.gap_se - learned.bias)


def _leaf_gaps(
    held: Sequence[_Judged],
    leaves: Sequence[TreeLeaf],
    places: IntArray,
    weight: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Mean and standard error of each leaf's arm beside every arm, over the units of the leaf."""
    arms = weight.shape[-1]
    gap, error = np.zeros((len(leaves), arms)), np.zeros((len(leaves), arms))
    for place, leaf in enumerate(leaves):
        among = places == place
        units = float(sum(part.units[:, among].sum() for part in held))
        policy = [np.full(places.size, leaf.arm)] * len(held)
        for arm in range(arms):
            other = [np.full(places.size, arm)] * len(held)
            total, square = _sums(held, policy, weight, other, among)
            gap[place, arm] = total / max(units, 1.0)
            error[place, arm] = _error(total, square, max(units, 1.0))
    return gap, error


def _judge(cells: Cells, fold: int, learned: RewardModel) -> _Judged:
    model = learned.predict(cells.period)
    counted = np.where(cells.share[:, None, :] > 0, cells.n[fold], 0.0)
    off = cells.mean[fold] - model
    squares = np.where(counted > 0, cells.m2[fold] + counted * off**2, 0.0)
    return _Judged(counted.sum(axis=-1), counted, model, counted * off, squares)


def _weights(share: FloatArray, switch: float) -> tuple[FloatArray, FloatArray]:
    """1 / e where it counts, else 0, and 1 where it does, else 0; shape (pieces, 1, arms)."""
    with np.errstate(divide="ignore"):
        weight = np.where(share > 0, 1 / share, np.inf)
    kept = np.isfinite(weight) & (weight <= switch)
    return np.where(kept, weight, 0.0)[:, None, :], kept[:, None, :].astype(np.float64)


def _scores(part: _Judged, weight: FloatArray) -> FloatArray:
    """Summed score of each arm, shape (pieces, contexts, arms)."""
    return np.asarray(part.units[..., None] * part.model + weight * part.residual)


def _of(values: FloatArray, arms: IntArray) -> FloatArray:
    """The entries of the arm that each context gets, shape (pieces, contexts)."""
    shape = (values.shape[0], arms.size, values.shape[-1])
    return np.take_along_axis(np.broadcast_to(values, shape), arms[None, :, None], axis=-1)[..., 0]


def _sums(
    held: Sequence[_Judged],
    policies: Sequence[IntArray],
    weight: FloatArray,
    others: Sequence[IntArray] | None = None,
    among: BoolArray | None = None,
) -> tuple[float, float]:
    """Sum and sum of squares over units of the score under a policy, or of its difference from another's.

    Of the units of the contexts `among`, all by default.
    """
    total = square = 0.0
    for number, (part, policy) in enumerate(zip(held, policies, strict=True)):
        w = _of(weight, policy)
        model, residual = _of(part.model, policy), w * _of(part.residual, policy)
        squares = w**2 * _of(part.squares, policy)
        differs = np.ones(policy.size, dtype=np.bool_) if among is None else among
        if others is not None:
            other = others[number]
            v = _of(weight, other)
            model = model - _of(part.model, other)
            residual = residual - v * _of(part.residual, other)
            squares = squares + v**2 * _of(part.squares, other)
            differs = differs & (policy != other)
        total += float((differs * (part.units * model + residual)).sum())
        square += float((differs * (part.units * model**2 + 2 * model * residual + squares)).sum())
    return total, square


def _beyond(
    held: Sequence[_Judged],
    policies: Sequence[IntArray],
    kept: FloatArray,
    others: Sequence[IntArray] | None = None,
) -> float:
    """Units whose score under the policy has no correction; with another policy, of either where they differ."""
    found = 0.0
    for number, (part, policy) in enumerate(zip(held, policies, strict=True)):
        missing = 1.0 - _of(kept, policy)
        if others is not None:
            missing = (missing + 1.0 - _of(kept, others[number])) * (policy != others[number])
        found += float((part.units * missing).sum())
    return found


def _switch(cells: Cells, held: Sequence[_Judged], policies: Sequence[IntArray], reach: float) -> float:
    """The switch with the least variance plus squared bound of the bias, the largest of those that tie."""
    known = sorted({float(1 / share) for share in cells.share.ravel() if share > 0})
    units = float(sum(part.units.sum() for part in held))
    best, least = np.inf, np.inf
    for switch in [np.inf, *reversed(known[:-1])]:
        weight, kept = _weights(cells.share, switch)
        error = _error(*_sums(held, policies, weight), units) ** 2
        bound = error + (reach * _beyond(held, policies, kept) / units) ** 2
        if bound < least:
            best, least = switch, bound
    return float(best)


@quiet
def _error(total: float, square: float, units: float) -> float:
    """Standard error of a mean over units."""
    mean = total / units
    return float(np.sqrt(max(square / units - mean**2, 0.0) / max(units - 1.0, 1.0)))
