from __future__ import annotations

import statistics
from fractions import Fraction

import numpy as np
import polars as pl
import pytest

from fairsplit.analysis.statistics.checks import InputError
from fairsplit.analysis.statistics.moments import JointMoments, Moments, merge


def exact_m2(values: list[int], scale: int) -> float:
    """The centred sum of squares in rational arithmetic."""
    mean = Fraction(sum(values), len(values))
    return float(sum((v - mean) ** 2 for v in values) / scale**2)


@pytest.mark.parametrize("offset", [0, 10**9, 10**12, 10**18])
def test_exact_sums_lose_nothing_at_any_offset(offset: int) -> None:
    values = [offset + v for v in (0, 1, 1, 2, 7)]
    moments = Moments.from_sums(5, sum(values), sum(v * v for v in values), scale=1000)
    assert float(moments.m2) == exact_m2(values, 1000)
    assert float(moments.mean) == float(Fraction(sum(values), 5 * 1000))


def test_a_billion_with_variance_one_among_a_trillion_units() -> None:
    # Half of 10^12 units at 10^9 - 1, half at 10^9 + 1.
    n, mean = 10**12, 10**9
    squares = n // 2 * ((mean - 1) ** 2 + (mean + 1) ** 2)
    moments = Moments.from_sums(n, n * mean, squares)
    assert float(moments.mean) == 1e9
    assert float(moments.m2) == 1e12


def test_float_sums_keep_what_the_sums_hold() -> None:
    # 10^9 +- 1: the sums are whole numbers below 2^53, the naive difference of squares is not.
    moments = Moments.from_sums(2.0, 2e6, 2e12 + 2.0)
    assert float(moments.m2) == 2.0


def test_raw_values_at_a_large_offset() -> None:
    x = [1e9 + v for v in (4.0, 7.0, 13.0, 16.0)]
    moments = Moments.from_values(x)
    assert float(moments.variance) == 30.0
    assert float(moments.mean) == statistics.fmean(x)


def test_frames_with_128_bit_integers_stay_exact() -> None:
    big = 10**30
    frame = pl.DataFrame(
        {"n": [2], "sum_y": [2 * big + 2], "sum_yy": [big**2 // 10**24 + 1]},
        schema={"n": pl.Int64, "sum_y": pl.Int128, "sum_yy": pl.Int128},
    )
    with pytest.raises(InputError, match="no values have these sums"):
        Moments.from_frame(frame)
    values = [10**17, 10**17 + 4]
    frame = pl.DataFrame(
        {"n": [2], "sum_y": [sum(values)], "sum_yy": [sum(v * v for v in values)]},
        schema={"n": pl.Int64, "sum_y": pl.Int128, "sum_yy": pl.Int128},
    )
    assert Moments.from_frame(frame).m2.tolist() == [8.0]


def test_a_frame_of_joint_sums_reads_the_warehouse_columns() -> None:
    rng = np.random.default_rng(5)
    y, x = rng.integers(0, 50, 30), rng.integers(0, 9, 30)
    frame = pl.DataFrame(
        {
            "n": [30], "scale": [10], "sum_y": [int(y.sum())], "sum_x": [int(x.sum())],
            "sum_yy": [int((y * y).sum())], "sum_yx": [int((y * x).sum())], "sum_xx": [int((x * x).sum())],
        }
    )  # fmt: skip
    read = JointMoments.from_frame(frame, "yx", scales={"y": "scale"})
    expected = np.cov(np.stack([y / 10, x]), ddof=1) * 29
    np.testing.assert_allclose(read.m2[0], expected, rtol=1e-13)
    assert read.select([1, 0]).mean[0].tolist() == [x.mean(), y.mean() / 10]
    np.testing.assert_allclose(read.covariance(0, 1)[0], expected[0, 1] / 29, rtol=1e-13)


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ({"n": [1], "sum_y": [1]}, "missing_column"),
        ({"n": [1], "sum_y": [None], "sum_yy": [1]}, "not_a_number"),
        ({"n": [1], "sum_y": ["a"], "sum_yy": [1]}, "not_a_number"),
        ({"n": [0], "sum_y": [1], "sum_yy": [1]}, "impossible_sums"),
        ({"n": [2], "sum_y": [10], "sum_yy": [10]}, "impossible_sums"),
        ({"n": [-1], "sum_y": [1], "sum_yy": [1]}, "negative"),
    ],
)
def test_frames_that_cannot_be_are_refused(frame: dict[str, list[object]], code: str) -> None:
    with pytest.raises(InputError) as caught:
        Moments.from_frame(pl.DataFrame(frame))
    assert caught.value.code == code


def test_products_beyond_cauchy_schwarz_are_refused() -> None:
    with pytest.raises(InputError, match="beyond what the sums of squares allow"):
        JointMoments.from_sums(10, [0, 0], {(0, 0): 10, (0, 1): 50, (1, 1): 10})
    with pytest.raises(InputError, match="all pairs"):
        JointMoments.from_sums(10, [0, 0], {(0, 0): 10, (1, 1): 10})


def test_no_units_are_moments_too() -> None:
    nothing = Moments.from_sums(0, 0, 0)
    assert (float(nothing.n), float(nothing.mean), float(nothing.m2)) == (0.0, 0.0, 0.0)
    assert np.isnan(nothing.variance)
    some = Moments.from_values([1.0, 5.0])
    for merged in (nothing + some, some + nothing, merge([nothing, some, nothing])):
        assert (float(merged.n), float(merged.mean), float(merged.m2)) == (2.0, 3.0, 8.0)
    empty = JointMoments.from_values(np.zeros((0, 2)))
    whole = empty + JointMoments.from_values([[1.0, 2.0], [3.0, 5.0]])
    assert whole.m2.tolist() == [[2.0, 3.0], [3.0, 4.5]]


def test_groups_equal_each_group_alone() -> None:
    rng = np.random.default_rng(3)
    x, g = rng.normal(1e8, 1.0, 200), rng.integers(0, 5, 200)
    grouped = Moments.from_groups(x, g, 6)
    for i in range(5):
        alone = Moments.from_values(x[g == i])
        np.testing.assert_allclose(grouped.m2[i], alone.m2, rtol=1e-9)
    assert grouped.n[5] == 0
    with pytest.raises(InputError, match="outside the range"):
        Moments.from_groups([1.0], np.array([7]), 6)
    with pytest.raises(InputError, match="values and groups differ"):
        Moments.from_groups([1.0, 2.0], np.array([0]), 6)


def test_binomial_moments_are_those_of_zeros_and_ones() -> None:
    moments = Moments.from_binomial(3, 10)
    raw = Moments.from_values([1.0] * 3 + [0.0] * 7)
    np.testing.assert_allclose([moments.mean, moments.m2], [raw.mean, raw.m2])
    # Among 10^12 units with 10^5 events the variance is p (1 - p) to the last digits.
    rare = Moments.from_binomial(10**5, 10**12)
    assert float(rare.m2) == pytest.approx(1e5 * (1 - 1e-7), rel=1e-15)


def test_the_bits_of_a_row_do_not_depend_on_the_rows_beside_it():
    """A cut-off judged alone and in a range has the same variance, though a later one has sums beyond 2**53."""
    n, total, square = [50, 50], [249_020_464, 2**60], [1_292_320_780_123_457, 2**115]
    both = Moments.from_sums(n, total, square, 10**6)
    alone = Moments.from_sums(n[:1], total[:1], square[:1], 10**6)
    assert both.m2[0] == alone.m2[0]
    assert both.mean[0] == alone.mean[0]
