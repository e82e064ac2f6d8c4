"""Shards: the one hash rule that the warehouse, this room and the flag SDKs share.

``shard(salt, unit)`` is the first 8 hex digits of ``md5("{salt}-{unit}")`` modulo 10,000, the rule of the
universal flag configuration (https://docs.geteppo.com). Ranges of shards are half-open.
"""

from __future__ import annotations

import hashlib
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Final

import duckdb
import numpy as np

from analysis.errors import Problem
from assignment_exports.errors import ExportError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl
    from numpy.typing import NDArray

TOTAL_SHARDS: Final = 10_000
# Opening an in-memory DuckDB costs about as much as hashing this many ids in a Python loop.
_LOOP_UP_TO: Final = 20_000


def shard(salt: str, unit: str) -> int:
    """The shard of one unit.

    Args:
        salt: The salt of the traffic, split or layer decision.
        unit: The unit's id exactly as it is logged.

    Returns:
        An integer in [0, 10,000).

    >>> shard("checkout_cta-split", "user-1")
    8254
    """
    digest = hashlib.md5(f"{salt}-{unit}".encode(), usedforsecurity=False).digest()
    return int.from_bytes(digest[:4], "big") % TOTAL_SHARDS


def shards(salt: str, units: pl.Series) -> NDArray[np.int32]:
    """The shards of many units, in their order.

    Args:
        salt: The salt of the decision.
        units: Ids as a string series without nulls, shape (n,).

    Returns:
        Shards in [0, 10,000), shape (n,).

    Raises:
        ExportError: An id is null: a unit without an id has no variant.
    """
    if units.null_count():
        raise ExportError(
            Problem(
                "a unit id is null",
                value=f"{units.null_count()} of {len(units)} ids",
                rule="every unit needs an id to be assigned",
                hint="drop the rows without an id before assigning",
            )
        )
    if len(units) <= _LOOP_UP_TO:
        return np.fromiter((shard(salt, unit) for unit in units), dtype=np.int32, count=len(units))
    with duckdb.connect() as connection:
        connection.register("units", units.alias("unit").to_frame().to_arrow())
        columns = connection.execute(
            "select (('0x' || substr(md5($prefix || unit), 1, 8))::ubigint % $total)::integer as shard "
            "from units",
            {"prefix": f"{salt}-", "total": TOTAL_SHARDS},
        ).fetchnumpy()
    return np.asarray(columns["shard"], dtype=np.int32)


def share_to_shards(share: float) -> int:
    """The number of shards nearest to a share of the units; halves round to the even number.

    Args:
        share: In [0, 1].

    >>> share_to_shards(0.0007)
    7
    """
    return round(Fraction(Decimal(repr(float(share)))) * TOTAL_SHARDS)


def split_ranges(weights: Mapping[str, float]) -> dict[str, tuple[int, int]]:
    """Cut the 10,000 split shards into one half-open range a variant.

    Each variant gets its exact share rounded down; the shards left over go to the largest remainders, ties to
    the variant declared first (the largest-remainder method). Weights are read as the decimals that were
    written, so no binary rounding moves a border.

    Args:
        weights: Non-negative weight by variant, in declared order; they are shares of their sum.

    Returns:
        ``{variant: (from, to)}`` in the same order; a variant of weight 0 has an empty range.

    Raises:
        ExportError: No weights, a negative or non-finite weight, or all weights 0.

    >>> split_ranges({"control": 1 / 3, "short": 1 / 3, "long": 1 / 3})
    {'control': (0, 3334), 'short': (3334, 6667), 'long': (6667, 10000)}
    """
    values = [float(weight) for weight in weights.values()]
    if not values or not np.isfinite(values).all() or min(values) < 0 or sum(values) == 0:
        raise ExportError(
            Problem(
                "weights cannot be turned into shares",
                value=str(dict(weights)),
                rule="finite, none negative, at least one above 0",
            )
        )
    exact = [Fraction(Decimal(repr(value))) for value in values]
    total = sum(exact)
    quotas = [weight * TOTAL_SHARDS / total for weight in exact]
    counts = [int(quota) for quota in quotas]
    by_remainder = sorted(range(len(quotas)), key=lambda i: (counts[i] - quotas[i], i))
    for i in by_remainder[: TOTAL_SHARDS - sum(counts)]:
        counts[i] += 1
    borders = _running_totals(counts)
    return {variant: (borders[i], borders[i + 1]) for i, variant in enumerate(weights)}


def variant_of_shard(
    ranges: Mapping[str, tuple[int, int]], split_shards: NDArray[np.int32]
) -> NDArray[np.int32]:
    """The position of the variant whose range holds each shard.

    Args:
        ranges: As `split_ranges` gives them: adjoining, in declared order, covering [0, 10,000).
        split_shards: Shape (n,).

    Returns:
        Positions in declared order, shape (n,).
    """
    ends = np.array([end for _, end in ranges.values()], dtype=np.int32)
    return np.searchsorted(ends, split_shards, side="right").astype(np.int32)


def _running_totals(counts: Sequence[int]) -> list[int]:
    totals = [0]
    for count in counts:
        totals.append(totals[-1] + count)
    return totals
