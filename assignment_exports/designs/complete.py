"""Complete and stratified randomisation: fixed counts per arm, in all or within each stratum."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fairsplit.analysis.catalogue.shards import exact

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# Steps of the golden ratio spread the rounding of many strata evenly over the arms.
_GOLDEN = (np.sqrt(5) - 1) / 2


def largest_remainder(units: int, weights: Sequence[float]) -> NDArray[np.int64]:
    """Units per arm: the whole part of each share, then the largest remainders, ties to the arm that stands first.

    Args:
        units: How many there are.
        weights: Non-negative, shape (arms,), with a positive sum.

    Returns:
        Counts that sum to `units`, shape (arms,).

    >>> largest_remainder(10, [0.7, 0.2, 0.1]).tolist()
    [7, 2, 1]
    """
    total = sum(map(exact, weights))
    shares = [exact(weight) * units / total for weight in weights]
    counts = [int(share) for share in shares]
    order = sorted(range(len(shares)), key=lambda arm: counts[arm] - shares[arm])
    for arm in order[: units - sum(counts)]:
        counts[arm] += 1
    return np.array(counts, dtype=np.int64)


def complete(units: int, weights: Sequence[float], rng: np.random.Generator) -> NDArray[np.int64]:
    """Complete randomisation: exactly the planned number of units in each arm, all such splits equally likely.

    Args:
        units: How many there are, n.
        weights: Per arm.
        rng: The source of chance.

    Returns:
        Position of each unit's arm, shape (n,).
    """
    counts = largest_remainder(units, weights)
    return rng.permutation(np.repeat(np.arange(len(counts)), counts))


def stratified(
    strata: NDArray[np.int64], weights: Sequence[float], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Complete randomisation within each stratum.

    Where an arm's share of a stratum is not whole, it is rounded down or up at random so that the chance of each unit
    is exactly the arm's weight; the roundings of many strata even out.

    Args:
        strata: Stratum of each unit as 0, 1, …, shape (n,).
        weights: Per arm.
        rng: The source of chance.

    Returns:
        Position of each unit's arm, shape (n,). An arm's count in a stratum misses its share by less than one.
    """
    share = np.array([float(weight) for weight in weights])
    share /= share.sum()
    sizes = np.bincount(strata)
    due = np.round(sizes[:, None] * share, 9)
    whole = np.floor(due)
    left = due - whole
    start = (rng.random() + np.arange(len(sizes)) * _GOLDEN) % 1
    # Systematic sampling: an arm is rounded up where a point start + k falls inside its stretch of the remainders.
    reached = np.floor(np.round(np.cumsum(left, axis=1), 9) + start[:, None])
    up = np.diff(reached, axis=1, prepend=np.floor(start)[:, None])
    counts = (whole + up).astype(np.int64)
    arms = np.empty(len(strata), dtype=np.int64)
    shuffled = rng.permutation(len(strata))
    grouped = shuffled[np.argsort(strata[shuffled], kind="stable")]
    arms[grouped] = np.repeat(np.tile(np.arange(len(share)), len(sizes)), counts.ravel())
    return arms
