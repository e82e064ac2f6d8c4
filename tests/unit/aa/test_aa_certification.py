"""A/A certification: the fast path equals the plain one, seeds are kept, broken analyses are flagged."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy import stats

from fairsplit.analysis.aa.certification import certify, clopper_pearson
from fairsplit.analysis.aa.outcomes import compare_splits, outcomes_by_values
from fairsplit.analysis.aa.splits import md5_shards, philox_shards
from fairsplit.analysis.aa.splitting import split_moments
from fairsplit.analysis.catalogue.shards import TOTAL_SHARDS, shard_ranges
from fairsplit.analysis.statistics.checks import InputError
from fairsplit.analysis.statistics.moments import JointMoments
from fairsplit.assignment_exports.bucketing import positions, shards

SALTS = [f"checkout-split-{i}" for i in range(20)]


def _units(size: int = 3000) -> tuple[list[str], np.ndarray]:
    rng = np.random.default_rng(401)
    before = rng.gamma(2.0, 3.0, size)
    after = before + rng.exponential(2.0, size)
    return [f"user-{i}" for i in range(size)], np.column_stack([1e6 + after, before])


def test_the_matrix_path_equals_assigning_and_analysing_one_by_one_on_20_md5_salts():
    ids, table = _units()
    ranges = list(shard_ranges({"control": 0.5, "red": 0.3, "green": 0.2}).values())
    split = split_moments(table, md5_shards(ids, SALTS), ranges)
    fast = {method: compare_splits(split, method) for method in ("cuped",)}
    welch = compare_splits(split_moments(table[:, :1], md5_shards(ids, SALTS), ranges), "welch")
    for run, salt in enumerate(SALTS):
        arm = positions(ranges, shards(salt, pl.Series(ids)))
        for treatment in (1, 2):
            control, other = table[arm == 0, 0], table[arm == treatment, 0]
            plain = stats.ttest_ind(other, control, equal_var=False)
            assert welch.statistic[run, treatment - 1] == pytest.approx(plain.statistic, rel=1e-6, abs=1e-8)
            assert welch.p_value[run, treatment - 1] == pytest.approx(plain.pvalue, rel=1e-6)
            direct = JointMoments.from_values(table[arm == treatment])
            assert split.arms.n[run, treatment] == direct.n
            np.testing.assert_allclose(split.arms.mean[run, treatment], direct.mean, rtol=1e-12)
            np.testing.assert_allclose(split.arms.m2[run, treatment], direct.m2, rtol=1e-8)
    assert np.isfinite(fast["cuped"].p_value).all()


def test_md5_shards_are_those_of_the_exports():
    ids, _ = _units(50)
    for salt, block in zip(SALTS, md5_shards(ids, SALTS), strict=True):
        np.testing.assert_array_equal(block[0], shards(salt, pl.Series(ids)))


def test_seeded_shards_are_uniform_and_the_same_whatever_the_number_of_runs():
    few = np.concatenate(list(philox_shards(5000, 3, seed=9)))
    many = np.concatenate(list(philox_shards(5000, 40, seed=9)))
    np.testing.assert_array_equal(few, many[:3])
    assert not np.array_equal(few, np.concatenate(list(philox_shards(5000, 3, seed=10))))
    assert many.max() < TOTAL_SHARDS
    seen = np.bincount(many.ravel() // 100, minlength=100)
    assert stats.chisquare(seen).pvalue > 1e-6


@pytest.mark.parametrize("method", ["welch", "proportion", "ratio_delta", "cuped", "ratio_cuped"])
def test_sound_methods_keep_their_word(method):
    rng = np.random.default_rng(409)
    before = rng.exponential(2.0, 4000)
    sessions, sessions_before = 1 + rng.poisson(3, 4000), 1 + rng.poisson(3, 4000)
    columns = {"y": before + rng.exponential(size=4000), "d": sessions, "x": before, "w": sessions_before}
    letters = {"ratio_delta": "yd", "cuped": "yx", "ratio_cuped": "ydxw"}.get(method, "y")
    table = np.column_stack([columns[letter] for letter in letters])
    if method == "proportion":
        table = (table > 4).astype(float)
    got = certify(table, method, weights=[0.6, 0.4], day=np.arange(4000) // 200, runs=400, seed=21)
    assert not got.flagged.any()
    assert got.uncomputed.tolist() == [0]
    assert got.false_positives.low[0] <= 0.05 <= got.false_positives.high[0]
    assert got.srm_alarms.low <= 0.001


@pytest.mark.parametrize("method", ["percentile", "mann_whitney", "kolmogorov_smirnov"])
def test_rank_and_quantile_methods_keep_their_word(method):
    values = np.round(np.random.default_rng(411).exponential(5.0, 3000), 1)
    got = certify(values, method, weights=[2, 1, 1], runs=300, seed=4, percentile=0.5)
    assert got.uncomputed.tolist() == [0, 0]
    # Ties make Kolmogorov–Smirnov conservative: its rate may stay below alpha but not rise above.
    assert (got.false_positives.low <= 0.05).all()
    if method == "kolmogorov_smirnov":
        assert np.isnan(got.coverage.observed).all()
    else:
        assert not got.flagged.any()


def test_rank_tests_of_a_split_equal_scipys():
    values = np.round(np.random.default_rng(413).exponential(5.0, 500), 1)
    block = next(philox_shards(500, 4, seed=8))
    ranges = [(0, 3000), (3000, 6000), (6000, 10000)]
    got = outcomes_by_values(values, block, ranges, "mann_whitney", percentile=0.5, alpha=0.05)
    for run in range(4):
        arms = [values[(block[run] >= low) & (block[run] < high)] for low, high in ranges]
        for treatment in (1, 2):
            plain = stats.mannwhitneyu(arms[treatment], arms[0], method="asymptotic", use_continuity=False)
            assert got.p_value[run, treatment - 1] == pytest.approx(plain.pvalue, rel=1e-9)


def test_test_and_interval_agree_so_that_coverage_is_one_minus_the_false_positive_rate():
    _, table = _units()
    got = certify(table[:, 0] - 1e6, "welch", runs=300, weights=[1, 1, 2])
    assert got.coverage.observed.shape == (2,)
    np.testing.assert_allclose(got.coverage.observed, 1 - got.false_positives.observed)
    np.testing.assert_allclose(got.relative_coverage.observed, got.coverage.observed)


def test_a_metric_that_one_unit_decides_is_flagged():
    values = np.random.default_rng(419).exponential(size=2000)
    values[7] = 1e9
    got = certify(values, "welch", runs=400)
    assert got.flagged.all()
    assert got.false_positives.high[0] < 0.05


def test_a_split_that_loses_units_of_one_arm_raises_the_srm_alarm():
    def lossy():
        for block in philox_shards(20_000, 50, seed=1):
            yield np.where((block < 5000) & (np.arange(20_000) % 10 == 0), TOTAL_SHARDS - 1, block)

    got = certify(np.random.default_rng(1).normal(size=20_000), "welch", shards=lossy())
    assert got.srm_alarms.observed > 0.9
    assert got.flagged.all()


def test_runs_that_cannot_be_computed_are_counted_and_not_called_fine():
    got = certify(np.ones(100), "welch", runs=5)
    assert got.uncomputed.tolist() == [5]
    assert np.isnan(got.false_positives.observed).all()
    assert np.isnan(got.false_positives.low).all()


def test_clopper_pearson_equals_scipy():
    got = clopper_pearson([0, 3, 1000, 57], [20, 50, 1000, 1000], 0.95)
    for i, (k, n) in enumerate([(0, 20), (3, 50), (1000, 1000), (57, 1000)]):
        expected = stats.binomtest(k, n).proportion_ci(0.95, method="exact")
        assert (got.low[i], got.high[i]) == pytest.approx((expected.low, expected.high))


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda: certify(np.ones((9, 2)), "welch"), "shape_mismatch"),
        (lambda: certify(np.array([0.0, 0.5]), "proportion"), "out_of_range"),
        (lambda: certify(np.ones(9), "median"), "unknown_choice"),
        (lambda: certify(np.ones(9), "welch", weights=[1, 0]), "out_of_range"),
        (lambda: certify(np.ones(9), "welch", runs=0), "out_of_range"),
        (lambda: certify(np.ones(9), "welch", day=np.zeros(3, dtype=int)), "shape_mismatch"),
        (lambda: certify(np.ones(9), "welch", day=np.full(9, -1)), "negative"),
        (lambda: certify(np.array([1.0, np.nan]), "welch"), "not_finite"),
        (lambda: certify(np.ones(9), "welch", seed=-1), "out_of_range"),
        (lambda: certify(np.ones(9), "welch", shards=[np.zeros((1, 3), np.uint16)]), "shape_mismatch"),
    ],
)
def test_impossible_inputs_are_refused(call, code):
    with pytest.raises(InputError) as caught:
        call()
    assert caught.value.code == code
