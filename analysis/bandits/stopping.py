"""Best-arm stopping: an arm that is better than every other, with one error over all looks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fairsplit.analysis.bandits.batched import batched_contrast
from fairsplit.analysis.statistics.confidence_sequences import sequence_multiplier
from fairsplit.analysis.statistics.status import Reason

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from fairsplit.analysis.bandits.batched import Batches
    from fairsplit.analysis.statistics.checks import BoolArray


def surely_best(
    data: Batches,
    *,
    alpha: float = 0.05,
    planned: float = 5_000,
    least: float = 2,
    live: ArrayLike | None = None,
) -> BoolArray:
    """Which arm's mean reward is above that of every other arm, by bounds that hold at every look together.

    To be called best wrongly, an arm must seem better than the one that truly is: one of k - 1 claims about that one.
    Each has the level alpha / (k - 1), one-sided, so the chance of ever calling a worse arm best is at most alpha.

    Args:
        data: From `batches`, all batches so far, shape (..., batches, arms); a higher reward is better.
        alpha: The error.
        planned: Units of both arms at which a bound is tightest; it must not depend on the data.
        least: Units of either arm before anything is said.
        live: Arms that take part, shape (arms,); all by default. The others are no rivals.

    Returns:
        Truth of shape (..., arms), true for one arm at most.

    Raises:
        InputError: As `sequence_multiplier`.

    Source:
        Waudby-Smith et al. (2024), asymptotic confidence sequences, on the contrasts of `batched_contrast`.

    Examples:
        >>> from fairsplit.analysis.bandits.batched import batches
        >>> surely_best(batches([[900, 900]], [[1.0, 1.3]], [[900.0, 900.0]], [[0.5, 0.5]]))
        array([False,  True])
    """
    arms = data.n.shape[-1]
    taking_part = np.ones(arms, dtype=np.bool_) if live is None else np.asarray(live, dtype=np.bool_)
    rivals = np.flatnonzero(taking_part)
    counts = data.n.sum(axis=-2)
    best = np.broadcast_to(taking_part & (rivals.size > 1), counts.shape).copy()
    for rival in rivals:
        contrast = batched_contrast(data, int(rival))
        other = counts[..., rival, None]
        ok = (contrast.status == Reason.OK) & (np.minimum(counts, other) >= least)
        level = alpha / max(rivals.size - 1, 1)
        bound = sequence_multiplier(np.maximum(counts + other, 1.0), planned, level, alternative="greater")
        above = ok & (
            np.where(ok, contrast.diff, 0.0) > bound * np.sqrt(np.where(ok, contrast.var_diff, 0.0))
        )
        best &= above | (np.arange(arms) == rival)
    return best
