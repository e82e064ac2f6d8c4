"""Matched blocks: units alike in their covariates, so that each block holds every arm in its share."""

from __future__ import annotations

from fractions import Fraction
from math import lcm
from typing import TYPE_CHECKING, Final

import numpy as np

from fairsplit.analysis.catalogue.shards import exact
from fairsplit.analysis.errors import Problem
from fairsplit.assignment_exports.errors import ExportError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

LARGEST_BLOCK: Final = 100


def block_size(weights: Sequence[float]) -> int:
    """The least number of units that the weights divide into whole units.

    Args:
        weights: Per arm.

    Raises:
        ExportError: It is more than 100, or the weights are no simple fractions: such blocks would match nothing.

    >>> block_size([0.5, 0.3, 0.2])
    10
    """
    total = sum(map(exact, weights))
    shares = [Fraction(exact(weight) / total).limit_denominator(LARGEST_BLOCK) for weight in weights]
    off = max(
        abs(float(share) - float(exact(weight) / total))
        for share, weight in zip(shares, weights, strict=True)
    )
    size = lcm(*(share.denominator for share in shares))
    if size > LARGEST_BLOCK or off > 1e-9:
        raise ExportError(
            Problem(
                "the weights do not divide into small blocks",
                "weights",
                ", ".join(f"{weight:g}" for weight in weights),
                f"shares with a common denominator of at most {LARGEST_BLOCK}",
                "choose simpler weights, or stratify",
            )
        )
    return size


def matched_blocks(covariates: NDArray[np.float64], size: int) -> NDArray[np.int64]:
    """Blocks of near units: halved again and again where they are spread most, in Mahalanobis distance.

    With one covariate these are neighbours in its order.

    Args:
        covariates: Finite, shape (n, p), p ≥ 1.
        size: Units per block.

    Returns:
        Block of each unit as 0, 1, …, shape (n,); all of `size` units but for one with the rest.
    """
    centred = covariates - covariates.mean(axis=0)
    variance, axes = np.linalg.eigh(np.atleast_2d(np.cov(centred, rowvar=False)))
    kept = variance > 1e-12 * max(variance.max(), 1e-300)
    whitened = centred @ axes[:, kept] / np.sqrt(variance[kept])
    blocks = np.empty(len(whitened), dtype=np.int64)
    waiting = [np.arange(len(whitened))]
    number = 0
    while waiting:
        units = waiting.pop()
        if len(units) <= size or not kept.any():
            for begin in range(0, len(units), size):
                blocks[units[begin : begin + size]] = number
                number += 1
            continue
        spread = np.ptp(whitened[units], axis=0)
        order = units[np.argsort(whitened[units, spread.argmax()], kind="stable")]
        half = max(len(order) // size // 2, 1) * size
        waiting += [order[half:], order[:half]]
    return blocks
