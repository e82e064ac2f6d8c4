from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairsplit.analysis.catalogue.shards import shard, shard_ranges, share_to_shards


def test_a_shard_is_the_first_eight_hex_digits_of_md5_modulo_ten_thousand():
    # `printf 'checkout_cta-split-u1' | md5sum` begins with 5d1a9291.
    assert shard("checkout_cta-split", "u1") == int("5d1a9291", 16) % 10_000


@pytest.mark.parametrize(
    ("weights", "ranges"),
    [
        ({"a": 0.5, "b": 0.5}, {"a": (0, 5_000), "b": (5_000, 10_000)}),
        ({"a": 1 / 3, "b": 1 / 3, "c": 1 / 3}, {"a": (0, 3_334), "b": (3_334, 6_667), "c": (6_667, 10_000)}),
        ({"a": 0.0, "b": 1.0}, {"a": (0, 0), "b": (0, 10_000)}),
        ({"a": 0.7, "b": 0.2, "c": 0.1}, {"a": (0, 7_000), "b": (7_000, 9_000), "c": (9_000, 10_000)}),
        ({"a": 0.00004, "b": 0.99996}, {"a": (0, 0), "b": (0, 10_000)}),
    ],
)
def test_ranges_follow_the_weights(weights, ranges):
    assert shard_ranges(weights) == ranges


@given(st.lists(st.integers(0, 1_000), min_size=2, max_size=12).filter(any))
def test_ranges_cover_all_shards_and_miss_no_share_by_a_whole_shard(parts):
    weights = {str(position): float(part) for position, part in enumerate(parts)}
    ranges = shard_ranges(weights)
    edges = [0, *(high for _, high in ranges.values())]
    assert [low for low, _ in ranges.values()] == edges[:-1]
    assert edges[-1] == 10_000
    for position, part in enumerate(parts):
        low, high = ranges[str(position)]
        assert abs(high - low - Fraction(part * 10_000, sum(parts))) < 1


def test_a_share_is_exact_on_the_grid():
    assert [share_to_shards(share) for share in (0.0, 0.0001, 0.29, 0.57, 1.0)] == [
        0,
        1,
        2_900,
        5_700,
        10_000,
    ]
