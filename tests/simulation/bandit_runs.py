"""Many bandits at once: arrays of shape (runs, arms), 28 daily batches, rewards known days later, a season."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fairsplit.analysis.bandits.batched import Batches, batches
from fairsplit.analysis.bandits.updating import batch_shares, chance_of_best, stepped

if TYPE_CHECKING:
    from fairsplit.analysis.bandits.updating import Algorithm

DAYS, DELAY, WARM_UP, DAILY = 28, 3, 4, 300
#: What a season adds to every arm's mean from day to day, in standard deviations of a reward.
SEASON = np.linspace(0.0, 1.0, DAYS)


@dataclass(frozen=True)
class Runs:
    """Bandits that have ended.

    Attributes:
        data: All batches, shape (runs, days, arms).
        means: True mean reward of each arm before the season.
        regret: Reward missed against serving the best arm always, per run.
        uniform_regret: The same of equal shares, a number.
    """

    data: Batches
    means: np.ndarray
    regret: np.ndarray
    uniform_regret: float

    def plain(self) -> tuple[np.ndarray, np.ndarray]:
        """Pooled means and their standard errors, as if the shares had never moved; shape (runs, arms)."""
        n, mean, m2 = pooled(self.data.n, self.data.mean, self.data.m2)
        return mean, np.sqrt(m2 / (n - 1) / n)


def pooled(n: np.ndarray, mean: np.ndarray, m2: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sums of all batches together."""
    units = n.sum(axis=1)
    level = (n * mean).sum(axis=1) / units
    return units, level, (m2 + n * (mean - level[:, None]) ** 2).sum(axis=1)


def run(
    seed: int,
    runs: int,
    means: list[float],
    algorithm: Algorithm,
    *,
    floor: float = 0.01,
) -> Runs:
    """Draw the sums of each batch straight from their laws: normal rewards of variance 1."""
    rng = np.random.default_rng(seed)
    truth = np.array(means)
    arms = truth.size
    n, mean, m2, share = np.zeros((4, runs, DAYS, arms))
    now = np.full((runs, arms), 1 / arms)
    for day in range(DAYS):
        known = day - DELAY
        if known >= WARM_UP:
            so_far = pooled(n[:, :known], mean[:, :known], m2[:, :known])
            p_best = so_far[1]
            if algorithm in {"thompson", "top_two"}:
                p_best = chance_of_best(*so_far, bernoulli=False)
            wanted = batch_shares(algorithm, p_best, *so_far, epsilon=0.1)
            now = stepped(now, wanted, floor=floor)
        share[:, day] = now
        n[:, day] = rng.multinomial(DAILY, now)
        some = np.maximum(n[:, day], 1)
        mean[:, day] = truth + SEASON[day] + rng.standard_normal((runs, arms)) / np.sqrt(some)
        m2[:, day] = 2 * rng.standard_gamma((some - 1) / 2)
    missed = truth.max() - truth
    return Runs(
        batches(n, mean, m2, share), truth, (n * missed).sum(axis=(1, 2)), float(DAILY * DAYS * missed.mean())
    )
