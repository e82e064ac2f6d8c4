"""Genetic search: parents by tournament on shrunken means, children by uniform crossover and mutation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from fairsplit.analysis.search.asking import Told
    from fairsplit.analysis.search.space import Space
    from fairsplit.analysis.statistics.checks import FloatArray

#: Points that meet in a tournament; chance that a parameter of a child is drawn anew; tries to find a new child.
_TOURNAMENT, _TRIES = 3, 200


def shrunken(told: Told) -> FloatArray:
    """Posterior means under Normal(m, τ²) of all points, by moments: what is measured badly is near the mean of all.

    Source:
        DerSimonian & Laird (1986), equation (8), for τ².
    """
    variance = np.diag(told.noise)
    measured = variance[variance > 0]
    # What is known exactly, as the control's difference from itself, counts as the best measurement there is.
    variance = np.where(variance > 0, variance, measured.min() if measured.size else 1.0)
    weights = 1.0 / variance
    centre = (weights * told.mean).sum() / weights.sum()
    scatter = (weights * (told.mean - centre) ** 2).sum() - (told.mean.size - 1)
    scale = weights.sum() - (weights**2).sum() / weights.sum()
    between = max(scatter / scale, 0.0) if scale > 0 else 0.0
    kept = between / (between + variance) if between > 0 else np.zeros_like(variance)
    return np.asarray(centre + kept * (told.mean - centre))


def breed(space: Space, told: Told, batch: int, seed: int) -> FloatArray:
    """The next generation: points that were not tried, each a child of two that won their tournaments.

    Each parameter comes from either parent by the flip of a coin (uniform crossover), and is drawn anew with the
    probability 1 / axes, from a fifth of the range around it for a range.

    Args:
        space: What may be varied.
        told: What was tried, at least one point.
        batch: How many children are wanted.
        seed: Of all that is drawn.

    Returns:
        Shape (at most batch, axes), in [0, 1].

    Source:
        Syswerda (1989), "Uniform crossover in genetic algorithms"; Miller & Goldberg (1995) for noisy tournaments.
    """
    random = np.random.default_rng(seed)
    fitness, axes = shrunken(told), len(space.axes)
    seen = {tuple(point.round(9)) for point in space.on_grid(told.points)}
    children: list[FloatArray] = []
    for _ in range(_TRIES * batch):
        if len(children) == batch:
            break
        parents = []
        for _ in range(2):
            meeting = random.integers(0, fitness.size, _TOURNAMENT)
            parents.append(told.points[meeting[int(fitness[meeting].argmax())]])
        child = np.where(random.random(axes) < 0.5, *parents)
        fresh = random.random(axes) < 1.0 / axes
        for at in np.flatnonzero(fresh):
            moved = random.random() if space.axes[at].choices else child[at] + random.normal(0.0, 0.2)
            child[at] = min(max(moved, 0.0), 1.0)
        child = space.on_grid(child[None])[0]
        if tuple(child.round(9)) not in seen:
            seen.add(tuple(child.round(9)))
            children.append(child)
    return np.array(children).reshape(-1, axes)
