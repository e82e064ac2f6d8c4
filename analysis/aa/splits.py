"""Re-randomisations of the same units: shards from a seeded counter-based generator, or from the real md5 hash."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fairsplit.analysis.catalogue.shards import TOTAL_SHARDS, shard
from fairsplit.analysis.statistics.checks import as_counts, refuse

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

#: Floats in one block of runs × units: 64 MB.
_BLOCK = 8_000_000


def philox_shards(units: int, runs: int, seed: int) -> Iterator[NDArray[np.uint16]]:
    """Uniform shards, as the md5 hash gives them, at some nanoseconds each.

    Run r draws from Philox with the key (seed, r): the same whatever the block size or the number of runs.

    Args:
        units: Units to split, at least 1.
        runs: Re-randomisations, at least 1.
        seed: 0 to 2**64 - 1.

    Yields:
        Blocks of shards in [0, 10,000), shape (some runs, units).

    Raises:
        InputError: ``out_of_range`` for a size under 1 or a seed outside its range.

    Source:
        Salmon, Moraes, Dror & Shaw (2011), "Parallel random numbers: as easy as 1, 2, 3" (Philox).

    Examples:
        >>> next(philox_shards(4, 2, seed=7)).shape
        (2, 4)
    """
    for name, value in (("units", units), ("runs", runs)):
        if as_counts(value, name) < 1:
            raise refuse("out_of_range", "nothing to split", name, value=value, rule="at least 1")
    if not 0 <= seed < 2**64:
        raise refuse("out_of_range", "no such seed", "seed", value=seed, rule="0 to 2**64 - 1")
    step = max(1, _BLOCK // units)
    for start in range(0, runs, step):
        block = np.empty((min(step, runs - start), units), dtype=np.uint16)
        for row in range(block.shape[0]):
            key = np.array([seed, start + row], dtype=np.uint64)
            generator = np.random.Generator(np.random.Philox(key=key))
            block[row] = generator.integers(0, TOTAL_SHARDS, size=units, dtype=np.uint16)
        yield block


def md5_shards(unit_ids: Sequence[str], salts: Sequence[str]) -> Iterator[NDArray[np.uint16]]:
    """The shards that the warehouse and the SDKs compute, one run for each salt.

    Args:
        unit_ids: Ids of the units.
        salts: Split salts.

    Yields:
        Blocks of one run each, shape (1, units).

    Examples:
        >>> next(md5_shards(["a", "b"], ["salt"])).shape
        (1, 2)
    """
    for salt in salts:
        yield np.fromiter((shard(salt, unit) for unit in unit_ids), np.uint16, len(unit_ids))[None]
