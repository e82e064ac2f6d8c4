"""A design that deals the arms in turn over units that are alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: Steps of this share visit the arms as evenly as any.
_GOLDEN = (5**0.5 - 1) / 2


def deal(covariates: Mapping[str, Sequence[object]], weights: np.ndarray, seed: int) -> np.ndarray:
    """Sort the units by what is known of them, begin at random, and give neighbours different arms.

    Each unit has each arm with the arm's weight as its probability, since the beginning is uniform.
    """
    columns = [
        np.unique(np.array([str(value) for value in values]), return_inverse=True)[1]
        for name, values in covariates.items()
        if name != "unit_id"
    ]
    units = len(covariates["unit_id"])
    random = np.random.default_rng(seed)
    order = np.lexsort([random.permutation(units), *reversed(columns)])
    share = (random.random() + _GOLDEN * np.arange(units)) % 1.0
    arms = np.empty(units, dtype=np.int64)
    arms[order] = np.minimum(np.searchsorted(np.cumsum(weights), share, side="right"), len(weights) - 1)
    return arms
