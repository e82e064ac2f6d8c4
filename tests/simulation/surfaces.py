"""Public test functions of global optimisation, turned so that more is better, measured with noise in batches.

Branin and Hartmann-3: Dixon & Szegö (1978); Ackley (1987). Minima as Surjanovic & Bingham, Virtual Library of
Simulation Experiments, give them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fairsplit.analysis.search.asking import Told, ask, sobol
from fairsplit.analysis.search.gaussian import fitted
from fairsplit.analysis.search.genetic import breed, shrunken
from fairsplit.analysis.search.space import Axis, Space

if TYPE_CHECKING:
    from collections.abc import Callable

#: Batches of a search and arms of a batch; random search has four times the batches.
BATCHES, ARMS, TIMES = 8, 4, 4
_A = np.array([[3, 10, 30], [0.1, 10, 35], [3, 10, 30], [0.1, 10, 35]])
_P = 1e-4 * np.array([[3689, 1170, 2673], [4699, 4387, 7470], [1091, 8732, 5547], [381, 5743, 8828]])
_ALPHA = np.array([1.0, 1.2, 3.0, 3.2])


@dataclass(frozen=True)
class Surface:
    of: Callable[[np.ndarray], np.ndarray]
    axes: int
    best: float
    noise: float


def _branin(u: np.ndarray) -> np.ndarray:
    x, y = 15 * u[:, 0] - 5, 15 * u[:, 1]
    square = (y - 5.1 / (4 * np.pi**2) * x**2 + 5 / np.pi * x - 6) ** 2
    return -(square + 10 * (1 - 1 / (8 * np.pi)) * np.cos(x) + 10)


def _ackley(u: np.ndarray) -> np.ndarray:
    # Off the middle, where a first guess would hit it.
    x = 10 * (u - 0.3)
    return 20 * np.exp(-0.2 * np.sqrt((x**2).mean(1))) + np.exp(np.cos(2 * np.pi * x).mean(1)) - 20 - np.e


def _hartmann(u: np.ndarray) -> np.ndarray:
    return sum(_ALPHA[i] * np.exp(-(_A[i] * (u - _P[i]) ** 2).sum(1)) for i in range(4))


SURFACES = {
    "branin": Surface(_branin, 2, -0.397887, 5.0),
    "hartmann_3": Surface(_hartmann, 3, 3.86278, 0.2),
    "ackley": Surface(_ackley, 2, 0.0, 0.5),
}


def searched(name: str, method: str, seed: int) -> float:
    """Regret of the point that a search recommends: by how much the best point of all is better."""
    it = SURFACES[name]
    space = Space(tuple(Axis(f"x{number}") for number in range(it.axes)))
    rng = np.random.default_rng([seed, 1])
    points = sobol(space, ARMS, seed)
    y = it.of(points) + it.noise * rng.normal(size=len(points))
    for batch in range(1, BATCHES):
        told = Told(points, y, np.eye(y.size) * it.noise**2)
        step = seed * 1_000 + batch
        new = ask(space, told, ARMS, step).points if method == "bayesian" else breed(space, told, ARMS, step)
        points = np.vstack([points, new])
        y = np.append(y, it.of(new) + it.noise * rng.normal(size=len(new)))
    told = Told(points, y, np.eye(y.size) * it.noise**2)
    believed = shrunken(told)
    if method == "bayesian":
        features, owner = space.features(points)
        believed = fitted(features, owner, y, told.noise, seed).at(features)[0]
    return float(it.best - it.of(points[[int(believed.argmax())]])[0])


def best_of_random(name: str, seed: int) -> float:
    """Regret of the best measurement among points drawn evenly, with `TIMES` as many batches."""
    it = SURFACES[name]
    rng = np.random.default_rng([seed, 2])
    points = rng.random((TIMES * BATCHES * ARMS, it.axes))
    y = it.of(points) + it.noise * rng.normal(size=len(points))
    return float(it.best - it.of(points[[int(y.argmax())]])[0])
