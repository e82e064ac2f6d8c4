"""Shards are uniform and independent across salts, and layers, widening and weights touch only whom they should.

The hashes are fixed functions, so these are not random draws: a chi-square p-value outside [1e-4, 1 - 1e-4] would say
that a hash is lumpy, or too even to be one.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from itertools import combinations
from typing import TYPE_CHECKING, get_args

import numpy as np
import polars as pl
import pytest
from scipy import stats

from fairsplit.analysis.catalogue.hashes import TOTAL_SHARDS, Sdk
from fairsplit.analysis.catalogue.shards import shard_ranges
from fairsplit.assignment_exports.allocation import Allocation, AllocationLayer, AllocationPhase, assign
from fairsplit.assignment_exports.bucketing import shards

if TYPE_CHECKING:
    from numpy.typing import NDArray

START = datetime(2026, 1, 5)  # noqa: DTZ001 - instants are naive UTC in this project
FAMILIES = get_args(Sdk)
MILLION = 1_000_000
COARSE = 100
TAIL = 1e-4
SALTS = ("checkout-layer", "cta-traffic", "cta-split", "headline-split")


def _ids(count: int) -> pl.Series:
    return pl.select(pl.format("user_{}", pl.int_range(count))).to_series()


def _assert_plausible(counts: NDArray[np.int64], degrees: int, expected: NDArray[np.float64] | float) -> None:
    statistic = float(np.sum((counts - expected) ** 2 / expected))
    assert TAIL < stats.chi2.sf(statistic, degrees) < 1 - TAIL


def _assert_uniform_and_independent(sdk: Sdk, units: pl.Series) -> None:
    drawn = {salt: shards(salt, units, sdk) for salt in SALTS}
    for found in drawn.values():
        counts = np.bincount(found, minlength=TOTAL_SHARDS)
        _assert_plausible(counts, TOTAL_SHARDS - 1, len(units) / TOTAL_SHARDS)
    width = TOTAL_SHARDS // COARSE
    for one, other in combinations(SALTS, 2):
        cells = drawn[one] // width * COARSE + drawn[other] // width
        table = np.bincount(cells, minlength=COARSE**2).reshape(COARSE, COARSE)
        expected = table.sum(1, keepdims=True) * table.sum(0, keepdims=True) / len(units)
        _assert_plausible(table, (COARSE - 1) ** 2, expected)


@pytest.mark.simulation
@pytest.mark.parametrize("sdk", FAMILIES)
def test_shards_of_a_million_units_are_uniform_and_independent_across_salts(sdk: Sdk) -> None:
    _assert_uniform_and_independent(sdk, _ids(MILLION))


@pytest.mark.slow
@pytest.mark.simulation
def test_shards_of_ten_million_units_are_uniform_and_independent_across_salts() -> None:
    _assert_uniform_and_independent("ufc", _ids(10 * MILLION))


def _allocation(
    name: str, sdk: Sdk, traffic: float, red: float = 0.5, layer: tuple[int, int] | None = None
) -> Allocation:
    ranges = shard_ranges({"control": 1 - red, "red": red})
    phase = AllocationPhase(
        START, None, int(traffic * TOTAL_SHARDS), f"{name}-traffic", f"{name}-split", ranges
    )
    taken = None if layer is None else AllocationLayer("checkout", "checkout-layer", *layer)
    configs = {"control": {}, "red": {}}
    return Allocation(name, "running", (phase,), taken, None, configs, "control", None, sdk=sdk)


def _variants(allocation: Allocation, units: pl.Series) -> pl.Series:
    return assign(allocation, units, START)["variant"]


@pytest.mark.simulation
@pytest.mark.parametrize("sdk", FAMILIES)
def test_widening_moves_nobody_who_is_in(sdk: Sdk) -> None:
    units = _ids(100_000)
    before: pl.Series | None = None
    for traffic in (0.1, 0.5, 1.0):
        now = _variants(_allocation("cta", sdk, traffic), units)
        share = 1 - now.null_count() / len(units)
        assert abs(share - traffic) <= 5 * (traffic * (1 - traffic) / len(units)) ** 0.5
        if before is not None:
            assert now.filter(before.is_not_null()).equals(before.drop_nulls(), check_names=False)
        before = now


@pytest.mark.simulation
@pytest.mark.parametrize("sdk", FAMILIES)
def test_experiments_of_one_layer_share_no_unit_and_leave_nobody_out(sdk: Sdk) -> None:
    units = _ids(100_000)
    parts = [(0, 3_500), (3_500, 7_000), (7_000, 10_000)]
    inside = [
        _variants(_allocation(f"part_{number}", sdk, 1.0, layer=part), units).is_not_null()
        for number, part in enumerate(parts)
    ]
    assert (sum(part.cast(pl.Int8) for part in inside) == 1).all()


@pytest.mark.simulation
@pytest.mark.parametrize("sdk", FAMILIES)
def test_arms_of_two_experiments_are_independent_and_weights_of_one_leave_the_other_alone(sdk: Sdk) -> None:
    units = _ids(100_000)
    one, other = _allocation("cta", sdk, 1.0), _allocation("headline", sdk, 1.0)
    table = (
        pl.DataFrame({"a": _variants(one, units), "b": _variants(other, units)})
        .group_by("a", "b")
        .len()
        .sort("a", "b")
    )
    assert stats.chi2_contingency(table["len"].to_numpy().reshape(2, 2)).pvalue > TAIL
    before = _variants(other, units)
    changed = replace(one, phases=_allocation("cta", sdk, 1.0, red=0.9).phases)
    assert not _variants(changed, units).equals(_variants(one, units))
    assert _variants(other, units).equals(before)
