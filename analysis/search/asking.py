"""What to try next: the points of largest expected improvement, several at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import scipy
from scipy import special

from fairsplit.analysis.search.gaussian import conditioned, fitted

if TYPE_CHECKING:
    from fairsplit.analysis.search.gaussian import Surface
    from fairsplit.analysis.search.space import Space
    from fairsplit.analysis.statistics.checks import FloatArray

#: Candidates per axis (a power of two, as Sobol's sequence wants them), and those around the best point.
_CANDIDATES, _NEAR = 256, 128
#: Points closer than this, in units of the box, are one.
_SAME = 1e-6


@dataclass(frozen=True, slots=True)
class Told:
    """What is known of the points that were tried.

    Attributes:
        points: Shape (tried, axes), in [0, 1].
        mean: The metric there, turned so that more is better; shape (tried,).
        noise: Covariance of the measurements, shape (tried, tried).
    """

    points: FloatArray
    mean: FloatArray
    noise: FloatArray


@dataclass(frozen=True, slots=True)
class Asked:
    """The next points, with what is expected of each.

    Attributes:
        points: Shape (batch, axes); fewer where the grid has no more.
        mean: Posterior mean there.
        spread: Posterior standard deviation.
        improvement: Expected improvement over the best posterior mean of what was tried, in the metric's unit; of
            each point after those before it.
        surface: The fitted process; none before two points were measured.
    """

    points: FloatArray
    mean: FloatArray
    spread: FloatArray
    improvement: FloatArray
    surface: Surface | None


def expected_improvement(mean: FloatArray, spread: FloatArray, best: float) -> FloatArray:
    """E[max(f - best, 0)] of f ~ Normal(mean, spread²).

    Source:
        Jones, Schonlau & Welch (1998), Journal of Global Optimization 13, equation (15).

    Examples:
        >>> expected_improvement(np.array([0.0, 1.0]), np.array([1.0, 0.0]), 0.0).round(4)
        array([0.3989, 1.    ])
    """
    gap = mean - best
    safe = np.where(spread > 0, spread, 1.0)
    z = gap / safe
    density = np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)
    return np.where(spread > 0, gap * special.ndtr(z) + spread * density, np.maximum(gap, 0.0))


def sobol(space: Space, count: int, seed: int) -> FloatArray:
    """Points of a scrambled Sobol sequence on the space's grid, each once; shape (at most count, axes)."""
    size = 1 << max(int(np.ceil(np.log2(max(count, 2)))), 1)
    # Named by way of `scipy`, which loads `scipy.stats` only here: it takes longer than a whole analysis of a file.
    drawn = scipy.stats.qmc.Sobol(len(space.axes), rng=np.random.default_rng(seed)).random(size)[:count]
    return _each_once(space.on_grid(drawn))


def ask(space: Space, told: Told, batch: int, seed: int) -> Asked:
    """The next batch by a Gaussian process and expected improvement, each point after the ones before it.

    Within a batch each point is believed to measure its posterior mean before the next is chosen (kriging believer,
    Ginsbourger, Le Riche & Carraro 2010). Improvement counts against the best posterior mean of what was tried, not
    against the best measurement, which is the luckiest.

    Args:
        space: What may be varied.
        told: What was tried; the same point may stand there several times.
        batch: How many points are wanted.
        seed: Of candidates and starts.
    """
    if told.mean.size < 2:
        points = _fresh(sobol(space, 8 * batch, seed), told.points)[:batch]
        nothing = np.full(len(points), np.nan)
        return Asked(points, nothing, nothing, nothing, None)
    features, owner = space.features(told.points)
    surface = fitted(features, owner, told.mean, told.noise, seed)
    best = float(surface.at(features)[0].max())
    candidates = _candidates(space, told.points[int(surface.at(features)[0].argmax())], seed)
    candidates = _fresh(candidates, told.points)
    y, noise = told.mean, told.noise
    chosen: list[FloatArray] = []
    numbers: list[tuple[float, float, float]] = []
    believed = surface
    while len(chosen) < batch and len(candidates):
        mean, spread = believed.at(space.features(candidates)[0])
        gain = expected_improvement(mean, spread, best)
        at = int(gain.argmax())
        chosen.append(candidates[at])
        numbers.append((float(mean[at]), float(spread[at]), float(gain[at])))
        y = np.append(y, mean[at])
        noise = np.pad(noise, (0, 1))
        best = max(best, float(mean[at]))
        features = np.vstack([features, space.features(candidates[[at]])[0]])
        believed = conditioned(features, y, noise, surface.lengths, surface.signal)
        candidates = _fresh(candidates, candidates[[at]])
    means, spreads, gains = np.array(numbers).reshape(-1, 3).T
    return Asked(np.array(chosen).reshape(-1, len(space.axes)), means, spreads, gains, surface)


def _candidates(space: Space, best: FloatArray, seed: int) -> FloatArray:
    """Points all over the space, and some around the best one."""
    random = np.random.default_rng([seed, 1])
    near = np.clip(best + random.normal(0.0, 0.1, (_NEAR, best.size)), 0.0, 1.0)
    spread = sobol(space, _CANDIDATES * min(len(space.axes), 8), seed)
    return _each_once(np.vstack([spread, space.on_grid(near)]))


def _each_once(points: FloatArray) -> FloatArray:
    _, first = np.unique(points.round(9), axis=0, return_index=True)
    return np.asarray(points[np.sort(first)])


def _fresh(points: FloatArray, tried: FloatArray) -> FloatArray:
    """The points that were not tried."""
    if not len(tried):
        return points
    gaps = np.abs(points[:, None, :] - tried[None, :, :]).max(axis=-1)
    return np.asarray(points[gaps.min(axis=1) > _SAME])
