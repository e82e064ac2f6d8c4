"""Shards of many units at once, by the hash rule that the warehouse, this room and an SDK family share.

The rules for one unit stand in `fairsplit.analysis.catalogue.hashes`, the ranges of weights in
`fairsplit.analysis.catalogue.shards`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import duckdb
import numpy as np

from fairsplit.analysis.catalogue.hashes import FNV_OFFSET, FNV_PRIME
from fairsplit.analysis.catalogue.shards import TOTAL_SHARDS, shard
from fairsplit.analysis.errors import Problem
from fairsplit.assignment_exports.errors import ExportError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl
    from numpy.typing import NDArray

    from fairsplit.analysis.catalogue.hashes import Sdk

# Opening an in-memory DuckDB costs about as much as hashing this many ids in a Python loop.
LOOP_UP_TO: Final = 20_000


def shards(salt: str, units: pl.Series, sdk: Sdk = "ufc") -> NDArray[np.int32]:
    """The shards of many units, in their order.

    Args:
        salt: The salt of the traffic, split or layer decision.
        units: Ids as a string series without nulls, shape (n,).
        sdk: The family whose hash decides.

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
    if sdk == "growthbook" and len(units):
        return _fnv_shards(f"{salt}-", units)
    # MurmurHash3 comes compiled: a loop over it is as fast as anything.
    if sdk != "ufc" or len(units) <= LOOP_UP_TO:
        return np.fromiter((shard(salt, unit, sdk) for unit in units), dtype=np.int32, count=len(units))
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


def _fnv_shards(prefix: str, units: pl.Series) -> NDArray[np.int32]:
    """GrowthBook's rule for ids side by side: one step of the hash for all of them a character."""
    texts = [prefix + unit for unit in units]
    inner = _fnv([text.encode("utf-16-le") for text in texts], np.dtype("<u2"))
    outer = _fnv([str(value).encode() for value in inner.tolist()], np.dtype("u1"))
    return (outer % TOTAL_SHARDS).astype(np.int32)


def _fnv(texts: list[bytes], unit: np.dtype[Any]) -> NDArray[np.uint64]:
    lengths = np.array([len(text) for text in texts]) // unit.itemsize
    longest = int(lengths.max())
    padded = b"".join(text.ljust(longest * unit.itemsize, b"\0") for text in texts)
    columns = np.frombuffer(padded, dtype=unit).reshape(len(texts), longest).T
    value = np.full(len(texts), FNV_OFFSET, dtype=np.uint64)
    for place, column in enumerate(columns):
        stepped = ((value ^ column) * np.uint64(FNV_PRIME)) & np.uint64(0xFFFFFFFF)
        value = np.where(place < lengths, stepped, value)
    return value
