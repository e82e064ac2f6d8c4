"""M36: reward models, trees and values from sums of cells, against the same computed unit by unit or by brute force."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
import pytest
from scipy import stats

from fairsplit.analysis.bandits.contextual.cells import MOST_LEVELS, OTHERS, Cells, coded
from fairsplit.analysis.bandits.contextual.linear import fit
from fairsplit.analysis.bandits.contextual.trees import arms_of, best_tree
from fairsplit.analysis.bandits.contextual.value import learn
from fairsplit.analysis.bandits.off_policy import off_policy_value

LEVELS = (("web", "ios", "android"), ("US", "DE"))
CODES = np.array(list(product(range(3), range(2))))
FOLDS = 6
SHARE = np.array([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]])
PERIOD = np.array([0, 1])


@dataclass
class Units:
    """Unit by unit: fold, piece, context, arm, reward."""

    fold: np.ndarray
    piece: np.ndarray
    context: np.ndarray
    arm: np.ndarray
    y: np.ndarray

    def cells(self, share: np.ndarray = SHARE) -> Cells:
        shape = (FOLDS, len(share), len(CODES), share.shape[1])
        at = (self.fold, self.piece, self.context, self.arm)
        n, total, squares = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        np.add.at(n, at, 1)
        np.add.at(total, at, self.y)
        mean = np.divide(total, n, out=np.zeros(shape), where=n > 0)
        np.add.at(squares, at, (self.y - mean[at]) ** 2)
        return Cells(n, mean, squares, share, np.arange(len(share)), LEVELS, CODES)


def draw(seed: int, size: int, share: np.ndarray = SHARE) -> Units:
    """Arm 1 is best on iOS, arm 2 elsewhere; the level falls in the second phase, where arm 2 has most units."""
    rng = np.random.default_rng(seed)
    piece, context = rng.integers(0, len(share), size), rng.integers(0, len(CODES), size)
    arm = (rng.random(size)[:, None] > np.cumsum(share[piece], axis=1)).sum(axis=1)
    mean = 1.0 + 0.5 * (arm == 2) + (arm == 1) * (CODES[context, 0] == 1) - 0.7 * piece
    y = mean + rng.normal(size=size)
    return Units(rng.integers(0, FOLDS, size), piece, context, arm, y)


def test_the_reward_model_is_the_regression_of_units_with_one_unit_of_prior_each():
    units = draw(1, 700)
    found = fit(units.cells())
    columns = []
    for arm in range(3):
        of = units.arm == arm
        columns += [of, *(of & (CODES[units.context, 0] == level) for level in (1, 2))]
        columns += [of & (CODES[units.context, 1] == 1)]
    columns.append(units.piece == 1)
    design = np.array(columns, dtype=float).T
    centre = units.y.mean()
    # A Normal prior of one unit is a row of its own with a reward of 0.
    rows = np.vstack([design, np.eye(design.shape[1])])
    y = np.concatenate([units.y - centre, np.zeros(design.shape[1])])
    beta, *_ = np.linalg.lstsq(rows, y, rcond=None)
    residual = ((y - rows @ beta) ** 2).sum()
    shape, rate = 1 + len(units.y) / 2, units.y.var() + residual / 2
    error = np.sqrt(rate / shape * np.diag(np.linalg.inv(rows.T @ rows)))
    by_arm, errors = beta[:-1].reshape(3, 4), error[:-1].reshape(3, 4)
    np.testing.assert_allclose(found.intercept, centre + by_arm[:, 0], rtol=1e-9)
    np.testing.assert_allclose(found.effect[:, [1, 2, 4]], by_arm[:, 1:], rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(found.effect_se[:, [1, 2, 4]], errors[:, 1:], rtol=1e-9)
    np.testing.assert_allclose(found.intercept_se, errors[:, 0], rtol=1e-9)
    np.testing.assert_array_equal(found.effect[:, [0, 3]], 0.0)
    assert found.period[1] == pytest.approx(beta[-1])
    assert found.df == 2 * shape


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_no_tree_of_the_depth_earns_more(depth):
    rng = np.random.default_rng(depth)
    codes, scores = CODES, rng.normal(size=(len(CODES), 3))
    splits = [codes[:, 0] == level for level in range(3)] + [codes[:, 1] == 0]

    def earned(among: np.ndarray, left: int) -> float:
        best = scores[among].sum(axis=0).max() if among.any() else 0.0
        if left == 0:
            return best
        return max(
            best, *(earned(among & side, left - 1) + earned(among & ~side, left - 1) for side in splits)
        )

    tree = best_tree(scores, codes, [3, 2], depth=depth)
    got = scores[np.arange(len(codes)), arms_of(tree, codes)].sum()
    assert got == pytest.approx(earned(np.ones(len(codes), dtype=bool), depth))
    assert not tree[-1].when


def test_what_earns_the_same_in_fewer_leaves_is_taken_and_no_leaf_stands_for_dust():
    same = np.array([[0.0, 1.0]] * len(CODES))
    assert [leaf.arm for leaf in best_tree(same, CODES, [3, 2], depth=3)] == [1]
    by_platform = np.where(CODES[:, [0]] == 1, [[0.0, 1.0]], [[0.1, 0.0]])
    tree = best_tree(by_platform, CODES, [3, 2], depth=3)
    assert [(leaf.when, leaf.arm) for leaf in tree] == [(((0, frozenset({1})),), 1), ((), 0)]


def test_rare_levels_are_taken_together_and_stay_in_the_last_leaf():
    contexts = [(f"l{number:02}",) for number in range(30)]
    levels, codes = coded(contexts, [100 - number for number in range(30)])
    assert levels[0][-1] is OTHERS
    assert len(levels[0]) == MOST_LEVELS
    assert set(codes[MOST_LEVELS - 1 :, 0]) == {MOST_LEVELS - 1}
    scores = np.where(codes == MOST_LEVELS - 1, [[0.0, 5.0]], [[1.0, 0.0]])
    tree = best_tree(scores, codes, [MOST_LEVELS - 1], depth=1)
    # No set holds what has no name, so the arm of the others is the one that asks nothing.
    assert all(MOST_LEVELS - 1 not in named for leaf in tree for _, named in leaf.when)


def scored(units: Units, cells: Cells, folds: list[int]) -> np.ndarray:
    """Scores by context and arm of some folds, each by a model of the others."""
    scores = np.zeros((len(CODES), 3))
    for fold in folds:
        own = units.fold == fold
        model = fit(cells.only([one for one in folds if one != fold])).predict(PERIOD)
        guess = model[units.piece[own], units.context[own]]
        took = np.arange(3) == units.arm[own, None]
        np.add.at(
            scores, units.context[own], guess + took * (units.y[own, None] - guess) / SHARE[units.piece[own]]
        )
    return scores


def test_values_are_those_of_doubly_robust_scores_unit_by_unit():
    units = draw(3, 3_000)
    cells = units.cells()
    found = learn(cells, depth=1, reach=10.0)
    assert found.switch == np.inf
    predicted, target = np.zeros((len(units.y), 3)), np.zeros((len(units.y), 3))
    for fold in range(2, FOLDS):
        own, past = units.fold == fold, list(range(fold))
        predicted[own] = fit(cells.only(past)).predict(PERIOD)[units.piece[own], units.context[own]]
        tree = best_tree(scored(units, cells, past), CODES, [3, 2], depth=1)
        target[own] = np.eye(3)[arms_of(tree, CODES)[units.context[own]]]
    judged = units.fold >= 2
    log = {"arms": units.arm[judged], "rewards": units.y[judged], "shares": SHARE[units.piece[judged]]}
    value = off_policy_value(**log, model=predicted[judged], target=target[judged])
    assert found.value == pytest.approx(float(value.estimate))
    assert found.value_se == pytest.approx(float(value.se), rel=1e-3)
    fixed = [
        float(off_policy_value(**log, model=predicted[judged], target=np.eye(3)[arm]).estimate)
        for arm in range(3)
    ]
    np.testing.assert_allclose(found.fixed, fixed, rtol=1e-9)
    np.testing.assert_allclose(found.gap, found.value - found.fixed, rtol=1e-9)
    took = np.arange(3) == log["arms"][:, None]
    every = predicted[judged] + took * (log["rewards"][:, None] - predicted[judged]) / log["shares"]
    difference = (target[judged] * every).sum(axis=1) - every[:, 0]
    assert found.gap_se[0] == pytest.approx(stats.sem(difference), rel=1e-3)
    # Planted: arm 1 on iOS (a third of the units) is worth .5 more than arm 2 for all.
    assert [leaf.arm for leaf in found.leaves] == [1, 2]
    assert found.gap[2] == pytest.approx(0.5 / 3, abs=4 * found.gap_se[2])
    # The policy itself is learned from all folds.
    np.testing.assert_allclose(found.of_arm, scored(units, cells, list(range(FOLDS))), rtol=1e-9)


def test_the_switch_takes_the_model_where_a_weight_would_decide_alone():
    share = np.array([[0.5, 0.3, 0.2], [0.4985, 0.0015, 0.5]])
    found = learn(draw(5, 1_500, share).cells(share), depth=1, reach=0.05)
    # One unit in 667 would count 667 times; of a reward so near to its model the bias is worth less than that.
    assert found.switch < 1 / 0.0015
    assert (found.bias > 0).any()
    # With a reward that may lie anywhere, no bias is taken.
    assert learn(draw(5, 1_500, share).cells(share), depth=1, reach=1e6).switch == np.inf


def test_an_arm_that_had_no_share_is_told_by_its_model_and_a_bias():
    share = np.array([[0.5, 0.3, 0.2], [0.5, 0.0, 0.5]])
    units = draw(6, 1_500, share)
    assert not ((units.piece == 1) & (units.arm == 1)).any()
    found = learn(units.cells(share), depth=1, reach=1.0)
    given = np.mean(arms_of(found.leaves, CODES)[units.context][units.piece == 1] == 1)
    assert given > 0
    assert found.bias[0] > 0
