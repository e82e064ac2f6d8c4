"""Shards of many units at once, by the one hash rule that the warehouse, this room and the flag SDKs share.

The rule for one unit, and the ranges of weights, stand in `analysis.catalogue.shards`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import duckdb
import numpy as np

from analysis.catalogue.shards import TOTAL_SHARDS, shard
from analysis.errors import Problem
from assignment_exports.errors import ExportError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl
    from numpy.typing import NDArray

# Opening an in-memory DuckDB costs about as much as hashing this many ids in a Python loop.
LOOP_UP_TO: Final = 20_000


def shards(salt: str, units: pl.Series) -> NDArray[np.int32]:
    """The shards of many units, in their order.

    Args:
        salt: The salt of the traffic, split or layer decision.
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
    if len(units) <= LOOP_UP_TO:
        return np.fromiter((shard(salt, unit) for unit in units), dtype=np.int32, count=len(units))
    with duckdb.connect() as connection:
        connection.register("units", units.alias("unit").to_frame().to_arrow())
        columns = connection.execute(
            "select (('0x' || substr(md5($prefix || unit), 1, 8))::ubigint % $total)::integer as shard "
            "from units",
            {"prefix": f"{salt}-", "total": TOTAL_SHARDS},
        ).fetchnumpy()
    return np.asarray(columns["shard"], dtype=np.int32)


def positions(ranges: Sequence[tuple[int, int]], split_shards: NDArray[np.int32]) -> NDArray[np.int32]:
    """The position of the range that holds each shard.

    Args:
        ranges: Half-open, adjoining, in order, covering [0, 10,000); empty ranges hold nothing.
        split_shards: Shape (n,).

    Returns:
        Positions in `ranges`, shape (n,).
    """
    ends = np.array([end for _, end in ranges], dtype=np.int32)
    return np.searchsorted(ends, split_shards, side="right").astype(np.int32)
