"""Gaussian-process regression with known noise: Matérn 5/2, one length for each axis, by maximum likelihood."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import linalg, optimize

if TYPE_CHECKING:
    from fairsplit.analysis.statistics.checks import FloatArray

#: Bounds of the lengths, in units of the box; beyond them a surface is noise, or flat.
_SHORTEST, _LONGEST = 0.05, 5.0
#: Share of the signal's variance that is added to the diagonal, so that equal points do not make it singular.
_JITTER = 1e-9


@dataclass(frozen=True, slots=True)
class Surface:
    """A fitted process.

    Attributes:
        features: Of the points measured, shape (points, columns).
        lengths: One for each column, shape (columns,).
        signal: Standard deviation of the surface around its mean.
        mean: The constant mean.
        factor: Lower Cholesky factor of covariance plus noise.
        weights: (K + N)⁻¹ (y - mean).
        log_likelihood: Of the measurements.
    """

    features: FloatArray
    lengths: FloatArray
    signal: float
    mean: float
    factor: FloatArray
    weights: FloatArray
    log_likelihood: float

    def at(self, features: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Posterior mean and standard deviation of the surface, without noise; shapes (points,)."""
        across = self.signal**2 * matern(features, self.features, self.lengths)
        mean = self.mean + across @ self.weights
        solved = linalg.solve_triangular(self.factor, across.T, lower=True)
        return mean, np.sqrt(np.maximum(self.signal**2 - (solved**2).sum(axis=0), 0.0))


def matern(one: FloatArray, other: FloatArray, lengths: FloatArray) -> FloatArray:
    """Matérn correlation with ν = 5/2: (1 + √5 r + 5 r² / 3) exp(-√5 r).

    Args:
        one: Shape (m, columns).
        other: Shape (n, columns).
        lengths: Shape (columns,).

    Returns:
        Shape (m, n).

    Source:
        Rasmussen & Williams (2006), equation (4.17).
    """
    gaps = (one[:, None, :] - other[None, :, :]) / lengths
    r = np.sqrt(5.0 * (gaps**2).sum(axis=-1))
    return np.asarray((1.0 + r + r**2 / 3.0) * np.exp(-r))


def conditioned(
    features: FloatArray, y: FloatArray, noise: FloatArray, lengths: FloatArray, signal: float
) -> Surface:
    """The process given its parameters; the constant mean is the one that fits best (generalised least squares).

    Args:
        features: Shape (points, columns).
        y: Measurements, shape (points,).
        noise: Their covariance, shape (points, points): standard errors squared on the diagonal.
        lengths: Shape (columns,).
        signal: Standard deviation of the surface.

    Source:
        Rasmussen & Williams (2006), algorithm 2.1.
    """
    covariance = signal**2 * matern(features, features, lengths) + noise
    covariance[np.diag_indices_from(covariance)] += _JITTER * signal**2
    factor = linalg.cholesky(covariance, lower=True)
    ones = np.ones_like(y)
    inverse = linalg.cho_solve((factor, True), ones)
    mean = float(inverse @ y / (inverse @ ones))
    weights = linalg.cho_solve((factor, True), y - mean)
    fit = -0.5 * (y - mean) @ weights - np.log(np.diag(factor)).sum() - 0.5 * y.size * np.log(2 * np.pi)
    return Surface(features, lengths, signal, mean, factor, weights, float(fit))


def fitted(
    features: FloatArray, owner: np.ndarray[Any, Any], y: FloatArray, noise: FloatArray, seed: int
) -> Surface:
    """The process whose lengths (one an axis) and signal are likeliest, from seeded starts.

    Args:
        features: Shape (points, columns).
        owner: Axis of each column.
        y: Shape (points,).
        noise: Covariance of the measurements, shape (points, points).
        seed: Of the starts.
    """
    axes = int(owner.max()) + 1
    spread = max(float(np.std(y)), float(np.sqrt(np.diag(noise).mean())), 1e-12)
    bounds = [(np.log(_SHORTEST), np.log(_LONGEST))] * axes + [(np.log(spread / 30), np.log(spread * 30))]

    def loss(parameters: FloatArray) -> float:
        lengths = np.exp(parameters[:axes])
        try:
            found = conditioned(features, y, noise, lengths[owner], float(np.exp(parameters[-1])))
        except linalg.LinAlgError:
            return 1e10
        # A weak prior around lengths of half the box: a handful of points leaves the likelihood flat.
        return -found.log_likelihood + 0.5 * float(((parameters[:axes] - np.log(0.5)) ** 2).sum())

    random = np.random.default_rng(seed)
    starts = [np.array([np.log(0.5)] * axes + [np.log(spread)])]
    starts += [np.array([random.uniform(*bound) for bound in bounds]) for _ in range(2)]
    best = min(
        (optimize.minimize(loss, start, method="L-BFGS-B", bounds=bounds) for start in starts),
        key=lambda result: float(result.fun),
    )
    return conditioned(features, y, noise, np.exp(best.x[:axes])[owner], float(np.exp(best.x[-1])))
