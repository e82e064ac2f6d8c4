"""A linear reward model per arm: a Bayesian regression on one-hot levels, in closed form from the sums of cells.

Each arm has an intercept, the reward where every feature has its most frequent level in the first phase, and a
coefficient for each other level. What a later phase does to the reward, it does to all arms alike: one coefficient,
shared by the arms, so that shares that moved are not taken for effects.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import linalg

if TYPE_CHECKING:
    from fairsplit.analysis.bandits.contextual.cells import Cells
    from fairsplit.analysis.statistics.checks import FloatArray, IntArray

#: What the prior of a coefficient is worth in units: it is Normal around 0 with the variance of one unit's reward.
PRIOR_UNITS = 1.0


@dataclass(frozen=True, slots=True)
class RewardModel:
    """The posterior of the coefficients: Student's t, marginally.

    Attributes:
        intercept: Shape (arms,).
        effect: Of each level of each feature, shape (arms, columns); the features' levels one after the other. The
            first level of each is 0, with error 0.
        period: Of each phase of time, shape (phases,), common to the arms; 0 of the first.
        intercept_se: Scale of the marginal t of each intercept.
        effect_se: The same of the effects.
        df: Degrees of freedom.
        columns: Columns of the effects that a context has, shape (contexts, features).
    """

    intercept: FloatArray
    effect: FloatArray
    period: FloatArray
    intercept_se: FloatArray
    effect_se: FloatArray
    df: float
    columns: IntArray

    def predict(self, period: IntArray) -> FloatArray:
        """Expected reward, shape (pieces, contexts, arms).

        Args:
            period: Number of the phase in time of each piece.
        """
        of_context = self.intercept + self.effect[:, self.columns].sum(axis=-1).T
        return np.asarray(self.period[period][:, None, None] + of_context)


def fit(cells: Cells) -> RewardModel:
    """The posterior given all folds of the sums.

    The prior of a coefficient is N(0, σ²) about the mean reward of all units, that of σ² inverse gamma with shape 1 and
    the rewards' own variance: what one unit tells. Units in an arm of share 0 are left out.

    Args:
        cells: Sums with at least one unit.

    Returns:
        `RewardModel`.

    Source:
        Normal-inverse-gamma regression, e.g. Bishop (2006), Pattern Recognition and Machine Learning, 3.3 and ex. 3.12;
        Murphy (2012), Machine Learning, eq. 7.69 to 7.76.
    """
    counted = np.where(cells.share[:, None, :] > 0, cells.n, 0.0)
    n = counted.sum(axis=0)
    total = (counted * cells.mean).sum(axis=0)
    units = n.sum()
    centre = total.sum() / units
    y = total - n * centre
    squares = (counted > 0) * cells.m2 + counted * (cells.mean - centre) ** 2
    y_y = squares.sum()
    phases, arms = int(cells.period.max()) + 1, n.shape[-1]
    offsets = np.cumsum([0, *(len(names) for names in cells.levels)])
    columns = cells.codes + offsets[:-1]
    # The first level of each feature is what the intercept says.
    free = np.setdiff1d(np.arange(offsets[-1]), offsets[:-1])
    width = 1 + free.size
    every = np.zeros((n.shape[1], offsets[-1]))
    every[np.arange(n.shape[1])[:, None], columns] = 1.0
    design = np.hstack([np.ones((n.shape[1], 1)), every[:, free]])
    by_period = np.zeros((phases, *n.shape[1:]))
    y_by_period = np.zeros_like(by_period)
    np.add.at(by_period, cells.period, n)
    np.add.at(y_by_period, cells.period, y)
    size = arms * width + phases - 1
    precision, moment = np.eye(size) * PRIOR_UNITS, np.zeros(size)
    last = slice(arms * width, size)
    precision[last, last] += np.diag(by_period[1:].sum(axis=(1, 2)))
    moment[last] = y_by_period[1:].sum(axis=(1, 2))
    for arm in range(arms):
        own = slice(arm * width, (arm + 1) * width)
        of_arm = by_period[:, :, arm]
        precision[own, own] += design.T @ (of_arm.sum(axis=0)[:, None] * design)
        crossed = design.T @ of_arm[1:].T
        precision[own, last], precision[last, own] = crossed, crossed.T
        moment[own] = design.T @ y_by_period[:, :, arm].sum(axis=0)
    factor = linalg.cho_factor(precision)
    beta = linalg.cho_solve(factor, moment)
    variance = y_y / units
    shape = 1.0 + units / 2
    rate = variance + max(y_y - float(moment @ beta), 0.0) / 2
    scale = np.sqrt(rate / shape * np.diag(linalg.cho_solve(factor, np.eye(size))))
    coefficients, errors = (values[: arms * width].reshape(arms, width) for values in (beta, scale))
    effect, effect_se = np.zeros((2, arms, offsets[-1]))
    effect[:, free], effect_se[:, free] = coefficients[:, 1:], errors[:, 1:]
    return RewardModel(
        intercept=centre + coefficients[:, 0],
        effect=effect,
        period=np.concatenate([[0.0], beta[last]]),
        intercept_se=errors[:, 0],
        effect_se=effect_se,
        df=float(2 * shape),
        columns=columns,
    )
