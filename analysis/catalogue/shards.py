"""The shard of a unit and the shard ranges of weights: the arithmetic that SQL and the SDKs repeat."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from fairsplit.analysis.catalogue.hashes import HASHES, TOTAL_SHARDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fairsplit.analysis.catalogue.hashes import Sdk

__all__ = ["TOTAL_SHARDS", "exact", "shard", "shard_ranges", "share_to_shards", "without_arm"]


def shard(salt: str, unit_id: str, sdk: Sdk = "ufc") -> int:
    """``first 8 hex digits of md5("{salt}-{unit}") mod 10000``, or the rule of another SDK family."""
    return HASHES[sdk](f"{salt}-{unit_id}")


def exact(value: float) -> Decimal:
    """The number as it was written, free of binary rounding."""
    return Decimal(str(value))


def shard_ranges(weights: Mapping[str, float]) -> dict[str, tuple[int, int]]:
    """Half-open ranges of the 10,000 split shards, in the order given.

    Each arm gets the whole part of its exact share; the shards left over go to the largest remainders, ties
    to the arm that stands first.

    Args:
        weights: Non-negative weights with a positive sum.

    Returns:
        For each arm ``(from, to)``; the ranges follow one another and cover all shards.
    """
    total = sum((exact(weight) for weight in weights.values()), Decimal(0))
    shares = {arm: exact(weight) * TOTAL_SHARDS / total for arm, weight in weights.items()}
    counts = {arm: int(share) for arm, share in shares.items()}
    left = TOTAL_SHARDS - sum(counts.values())
    by_remainder = sorted(shares, key=lambda arm: counts[arm] - shares[arm])
    for arm in by_remainder[:left]:
        counts[arm] += 1
    ranges: dict[str, tuple[int, int]] = {}
    start = 0
    for arm, count in counts.items():
        ranges[arm] = (start, start + count)
        start += count
    return ranges


def share_to_shards(share: float) -> int:
    """A share of the units as a number of shards."""
    return int((exact(share) * TOTAL_SHARDS).to_integral_value())


def without_arm(weights: Mapping[str, float], arm: str) -> dict[str, float]:
    """Weights whose neighbour takes over an arm's shards, so that no unit of any other arm moves."""
    shards = {name: end - begin for name, (begin, end) in shard_ranges(weights).items()}
    order = list(shards)
    at = order.index(arm)
    near = [*reversed(order[:at]), *order[at + 1 :]]
    heir = next(name for name in near if shards[name] > 0)
    shards[heir] += shards.pop(arm)
    return {name: shards.get(name, 0) / TOTAL_SHARDS for name in order}
