"""Independent, named streams of random numbers, so that changing one part of the world moves no other."""

from __future__ import annotations

from zlib import crc32

import numpy as np


def stream(seed: int, name: str) -> np.random.Generator:
    """The generator of one named part of the world.

    Args:
        seed: The world's seed, not negative.
        name: The part, for example ``exposures/checkout_cta``.
    """
    return np.random.default_rng([seed, crc32(name.encode())])
