"""A unit list costs at most 200 bytes a row (M49), with ids that do not compress and the attributes of real traffic."""

from __future__ import annotations

import random
import uuid
from datetime import datetime

import polars as pl

from fairsplit.analysis.catalogue.shards import shard_ranges
from fairsplit.assignment_exports.allocation import Allocation, AllocationPhase
from fairsplit.assignment_exports.catalogue import assignment_list
from fairsplit.assignment_exports.release import parquet_bytes

UNITS = 100_000
START = datetime(2026, 1, 5)  # noqa: DTZ001 - instants are naive UTC in this project


def test_a_list_of_a_hundred_thousand_units_costs_at_most_200_bytes_a_row() -> None:
    rng = random.Random(11)  # noqa: S311
    units = pl.Series([str(uuid.UUID(int=rng.getrandbits(128), version=4)) for _ in range(UNITS)])
    pools = {
        "country": ["US", "DE", "GB", "FR", "CA", "JP", "BR", "IN", None],
        "platform": ["web", "ios", "android"],
        "device": ["iPhone 16 Pro", "Pixel 10", "Galaxy S25", "desktop", None],
        "language": ["en-US", "de-DE", "fr-FR", "pt-BR", "ja-JP"],
        "app_version": [
            f"{major}.{minor}.{patch}" for major in (7, 8) for minor in range(12) for patch in range(5)
        ],
        "plan": ["free", "plus", "business"],
    }
    attributes = pl.DataFrame(
        {name: rng.choices(pool, k=UNITS) for name, pool in pools.items()}
    ).with_columns(
        days_since_signup=pl.Series([rng.randrange(4_000) for _ in range(UNITS)]),
        revenue_28d=pl.Series([round(rng.lognormvariate(2, 1), 2) for _ in range(UNITS)]),
    )
    ranges = shard_ranges({"control": 0.5, "red": 0.3, "blue": 0.2})
    phase = AllocationPhase(START, None, 10_000, "cta-traffic", "cta-split", ranges)
    allocation = Allocation(
        "cta", "running", (phase,), None, None, {name: {} for name in ranges}, "control", None
    )
    listed = assignment_list(allocation, units, START, attributes)
    assert listed.height == UNITS
    assert len(parquet_bytes(listed)) <= 200 * UNITS
