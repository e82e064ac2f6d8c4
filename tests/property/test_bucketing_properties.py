"""What must hold of the shards whatever the salts, weights and units."""

from __future__ import annotations

import hashlib
import itertools
from datetime import datetime
from fractions import Fraction

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairsplit.analysis.catalogue.shards import TOTAL_SHARDS, shard_ranges
from fairsplit.assignment_exports.allocation import Allocation, AllocationLayer, AllocationPhase, assign
from fairsplit.assignment_exports.bucketing import LOOP_UP_TO, positions, shards
from fairsplit.assignment_exports.errors import ExportError

START = datetime(2026, 1, 5)  # noqa: DTZ001 - instants are naive UTC in this project
UNITS = pl.Series([f"user-{number}" for number in range(5_000)])


def _allocation(
    name: str, traffic: int, weights: dict[str, float], layer: AllocationLayer | None = None
) -> Allocation:
    phase = AllocationPhase(START, None, traffic, f"{name}-traffic", f"{name}-split", shard_ranges(weights))
    return Allocation(name, "running", (phase,), layer, None, {arm: {} for arm in weights}, "a", None)


@given(st.lists(st.text(), max_size=50), st.text())
def test_a_shard_is_the_first_eight_hex_digits_modulo_ten_thousand(ids: list[str], salt: str) -> None:
    units = pl.Series(ids, dtype=pl.String)
    expected = [int(hashlib.md5(f"{salt}-{unit}".encode()).hexdigest()[:8], 16) % 10_000 for unit in ids]  # noqa: S324
    assert shards(salt, units).tolist() == expected


def test_the_loop_and_the_database_agree_on_both_sides_of_the_threshold() -> None:
    ids = pl.Series([f"ünit {number}'\"\\ 😀" for number in range(LOOP_UP_TO + 1)])
    assert shards("salt'; --", ids).tolist()[:-1] == shards("salt'; --", ids[:-1]).tolist()


def test_a_unit_without_an_id_is_refused() -> None:
    with pytest.raises(ExportError, match=r"a unit id is null \(1 of 2 ids"):
        shards("salt", pl.Series(["a", None]))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30).filter(lambda weights: sum(weights) > 1e-6))
def test_ranges_cover_all_shards_and_miss_a_weight_by_less_than_one_shard(weights: list[float]) -> None:
    ranges = list(shard_ranges({str(arm): weight for arm, weight in enumerate(weights)}).values())
    assert ranges[0][0] == 0
    assert ranges[-1][1] == TOTAL_SHARDS
    assert all(left[1] == right[0] for left, right in itertools.pairwise(ranges))
    total = sum(map(Fraction, weights))
    for weight, (begin, end) in zip(weights, ranges, strict=True):
        assert abs(end - begin - Fraction(weight) * TOTAL_SHARDS / total) < 1 + Fraction(1, 10**6)
    drawn = positions(ranges, np.arange(TOTAL_SHARDS, dtype=np.int32))
    assert [(drawn == arm).sum() for arm in range(len(weights))] == [end - begin for begin, end in ranges]


@settings(max_examples=25)
@given(st.lists(st.integers(0, TOTAL_SHARDS), min_size=2, max_size=5).map(sorted))
def test_widening_traffic_moves_nobody_who_is_in(traffic: list[int]) -> None:
    weights = {"a": 0.2, "b": 0.5, "c": 0.3}
    seen: dict[str, str] = {}
    for share in traffic:
        drawn = assign(_allocation("widening", share, weights), UNITS, START).drop_nulls("variant")
        now = dict(zip(drawn["unit_id"], drawn["variant"], strict=True))
        assert now.keys() >= seen.keys()
        assert {unit: now[unit] for unit in seen} == seen
        seen = now


@settings(max_examples=25)
@given(st.lists(st.integers(1, TOTAL_SHARDS - 1), min_size=1, max_size=4, unique=True).map(sorted))
def test_experiments_of_one_layer_share_no_unit_and_leave_none_out(borders: list[int]) -> None:
    edges = [0, *borders, TOTAL_SHARDS]
    taken = [
        set(
            assign(
                _allocation(
                    f"e{begin}",
                    TOTAL_SHARDS,
                    {"a": 0.5, "b": 0.5},
                    AllocationLayer("shop", "shop-layer", begin, end),
                ),
                UNITS,
                START,
            ).drop_nulls("variant")["unit_id"]
        )
        for begin, end in itertools.pairwise(edges)
    ]
    assert sum(map(len, taken)) == len(set().union(*taken)) == len(UNITS)


@settings(max_examples=25)
@given(st.floats(0.01, 0.99))
def test_changing_the_weights_of_one_experiment_moves_nobody_in_another(weight: float) -> None:
    other = _allocation("other", 5_000, {"a": 0.5, "b": 0.5})
    before = assign(other, UNITS, START)
    changed = _allocation("changed", TOTAL_SHARDS, {"a": weight, "b": 1 - weight})
    assign(changed, UNITS, START)
    assert assign(other, UNITS, START).equals(before)
    assert set(assign(changed, UNITS, START)["probability"].round(4)) <= {
        phase_probability
        for phase in changed.phases
        for phase_probability in (
            round(phase.bands[0].probability("a"), 4),
            round(phase.bands[0].probability("b"), 4),
        )
    }


def test_shards_of_two_salts_are_uniform_and_independent() -> None:
    units = pl.select(pl.format("u{}", pl.int_range(200_000))).to_series()
    traffic, split = shards("x-traffic", units) // 1_000, shards("x-split", units) // 1_000
    table = np.histogram2d(traffic, split, bins=[np.arange(11)] * 2)[0]
    expected = len(units) / 100
    # 99 degrees of freedom: the 99.9 % quantile of chi-square is 148.2.
    assert ((table - expected) ** 2 / expected).sum() < 148.2
