"""Rank, quantile and robust methods against SciPy and brute force."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats
from scipy.stats import mstats

from fairsplit.analysis.statistics.checks import InputError
from fairsplit.analysis.statistics.histograms import Histograms
from fairsplit.analysis.statistics.moments import JointMoments, Moments
from fairsplit.analysis.statistics.quantiles import (
    clustered_rate,
    harrell_davis,
    quantile_difference,
    quantile_interval,
    quantile_point,
    quantile_ranks,
    quantile_test_values,
)
from fairsplit.analysis.statistics.ranks import hodges_lehmann, kolmogorov_smirnov, mann_whitney
from fairsplit.analysis.statistics.robust import winsorise_arms, winsorise_count, winsorise_quantile, yuen
from fairsplit.analysis.statistics.status import names


def tied(seed: int, shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(seed).poisson(3, shape).astype(float)


def test_mann_whitney_equals_scipy_with_ties_for_many_comparisons() -> None:
    c, t = tied(1, (6, 40)), tied(2, (6, 55)) + 0.0
    r = mann_whitney(Histograms.from_values(c, t))
    plain = stats.mannwhitneyu(t, c, axis=1, method="asymptotic", use_continuity=False)
    careful = stats.mannwhitneyu(t, c, axis=1, method="asymptotic", use_continuity=True)
    np.testing.assert_array_equal(r.u, plain.statistic)
    np.testing.assert_allclose(r.p_value, plain.pvalue, rtol=1e-10)
    np.testing.assert_allclose(r.p_continuity, careful.pvalue, rtol=1e-10)
    assert set(names(r.exact_status)) == {"too_large_for_exact"}


@pytest.mark.parametrize(("n", "m"), [(3, 4), (10, 5), (40, 60)])
def test_exact_mann_whitney_equals_scipy(n: int, m: int) -> None:
    rng = np.random.default_rng(n)
    c, t = rng.normal(size=(5, n)), rng.normal(0.5, 1, (5, m))
    r = mann_whitney(Histograms.from_values(c, t))
    expected = stats.mannwhitneyu(t, c, axis=1, method="exact").pvalue
    np.testing.assert_allclose(r.p_exact, expected, rtol=1e-9)


def test_win_probability_interval_agrees_with_the_test_at_every_level() -> None:
    h = Histograms.from_values(tied(3, (300, 20)), tied(4, (300, 35)))
    alpha = np.random.default_rng(5).uniform(0.001, 0.9, 300)
    r = mann_whitney(h, alpha)
    excluded = (r.ci_low > 0.5) | (r.ci_high < 0.5)
    np.testing.assert_array_equal(excluded, r.p_value < alpha)
    assert ((r.ci_low <= r.win_probability) & (r.win_probability <= r.ci_high)).all()


def test_rank_faults_have_reasons() -> None:
    h = Histograms.from_long([0, 0, 1], [1.0, 1.0, 1.0], [3, 4, 3], [False, True, False], 3)
    assert names(mann_whitney(h).status).tolist() == ["zero_variance", "no_exposure", "no_exposure"]
    assert names(kolmogorov_smirnov(h).status).tolist() == ["ok", "no_exposure", "no_exposure"]
    assert names(hodges_lehmann(h).status).tolist() == ["ok", "no_exposure", "no_exposure"]
    nothing = Histograms.from_long([], [], [], [], 2)
    assert names(mann_whitney(nothing).status).tolist() == ["no_exposure"] * 2
    assert names(kolmogorov_smirnov(nothing).status).tolist() == ["no_exposure"] * 2


def test_a_trillion_units_in_a_histogram() -> None:
    units = [10**12, 10**12, 10**12, 10**12 + 10**7]
    h = Histograms.from_long([0, 0, 0, 0], [0.0, 1.0, 0.0, 1.0], units, [False, False, True, True], 1)
    r = mann_whitney(h)
    rate = Moments.from_binomial(units[3], units[2] + units[3])
    z = (float(rate.mean) - 0.5) / np.sqrt(0.25 / (2e12) * 2)
    assert r.z.item() == pytest.approx(z, rel=1e-4)


def test_hodges_lehmann_is_the_median_of_all_differences() -> None:
    rng = np.random.default_rng(6)
    for c, t in ((rng.normal(size=7), rng.normal(size=8)), (tied(7, (9,)), tied(8, (6,)))):
        r = hodges_lehmann(Histograms.from_values(c, t))
        differences = np.sort(np.subtract.outer(t, c).ravel())
        assert r.shift.item() == pytest.approx(np.median(differences), abs=1e-12)
    # R: wilcox.test(x, y, conf.int = TRUE, exact = TRUE) on Hollander and Wolfe's permeability data: 0.305.
    x = [0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46]
    y = [1.15, 0.88, 0.90, 0.74, 1.21]
    assert hodges_lehmann(Histograms.from_values(y, x)).shift.item() == pytest.approx(0.305)


@pytest.mark.parametrize(
    ("n", "m"), [(5, 5), (7, 12), (30, 40), (110, 120), (131, 700), (1, 400), (900, 800)]
)
def test_kolmogorov_smirnov_equals_scipy(n: int, m: int) -> None:
    """Case ks-exact-middle-sizes: exact far beyond n m = 10,000."""
    rng = np.random.default_rng(n * m)
    c, t = rng.normal(size=n), rng.normal(0.7, 1, m)
    r = kolmogorov_smirnov(Histograms.from_values(c, t))
    expected = stats.ks_2samp(t, c, method="exact")
    assert r.d.item() == pytest.approx(expected.statistic)
    assert r.p_exact.item() == pytest.approx(expected.pvalue, rel=1e-9)
    limit = stats.kstwobign.sf(expected.statistic * np.sqrt(n * m / (n + m)))
    assert r.p_value.item() == pytest.approx(limit, rel=1e-10)
    assert r.location.item() == pytest.approx(expected.statistic_location)
    assert np.sign(r.signed.item()) == -expected.statistic_sign


def test_exact_kolmogorov_smirnov_with_ties_equals_all_permutations() -> None:
    for seed in range(6):
        c, t = tied(seed, (5,)), tied(seed + 50, (6,)) + (seed % 2)
        pooled = np.concatenate([c, t])

        def distance(chosen: tuple[int, ...], values: np.ndarray = pooled) -> float:
            first = np.zeros(11, dtype=bool)
            first[list(chosen)] = True
            grid = np.unique(values)[:, None]
            return float(np.abs((values[first] <= grid).mean(1) - (values[~first] <= grid).mean(1)).max())

        observed = distance(tuple(range(5)))
        splits = [distance(chosen) >= observed - 1e-12 for chosen in itertools.combinations(range(11), 5)]
        h = Histograms.from_values(c, t)
        assert kolmogorov_smirnov(h, exact_ties=True).p_exact.item() == pytest.approx(np.mean(splits))
        assert kolmogorov_smirnov(h).p_exact.item() >= np.mean(splits) - 1e-12


def test_quantile_ranks_by_brute_force() -> None:
    # Values 1..n in random order of drawing: coverage is a binomial sum whatever the law.
    for n, p, conf in itertools.product((20, 57), (0.3, 0.5, 0.9), (0.8, 0.95)):
        r = quantile_ranks(n, p, conf)
        low, high = int(r.rank_low), int(r.rank_high)
        tail = (1 - conf) / 2
        assert stats.binom.cdf(low - 1, n, p) <= tail < stats.binom.cdf(low, n, p)
        assert stats.binom.sf(high - 1, n, p) <= tail < stats.binom.sf(high - 2, n, p)
        assert float(r.coverage) == pytest.approx(stats.binom.pmf(range(low, high), n, p).sum())
    assert names(quantile_ranks(5, 0.5, 0.999).status) == "no_interval"
    assert names(quantile_ranks(0, 0.5).status) == "no_exposure"
    huge = quantile_ranks(10**12, 0.5)
    assert float(huge.rank_high - huge.rank_low) == pytest.approx(2 * 1.959964 * 5e5, rel=1e-5)


def test_open_quantile_intervals_are_infinite() -> None:
    low, high = quantile_interval([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], 0.5, 0.95)
    assert low.tolist() == [-np.inf, -np.inf]
    assert high.tolist() == [np.inf, np.inf]


def test_harrell_davis_equals_scipy() -> None:
    x = np.random.default_rng(9).gamma(2, 2, (3, 31))
    r = harrell_davis(x, [0.1, 0.5, 0.9])
    for row, value, se in zip(x, r.value, r.se, strict=True):
        np.testing.assert_allclose(value, mstats.hdquantiles(row, [0.1, 0.5, 0.9]), rtol=1e-10)
        np.testing.assert_allclose(se, mstats.hdquantiles_sd(row, [0.1, 0.5, 0.9]), rtol=1e-10)


def test_quantile_test_equals_scipy() -> None:
    x = tied(10, (25,))
    for q in (1.0, 2.5, 3.0):
        expected = stats.quantile_test(x, q=q, p=0.4).pvalue
        assert float(quantile_test_values(x, q, 0.4)) == pytest.approx(min(expected, 1), rel=1e-10)


def test_histogram_quantiles_equal_numpys() -> None:
    c, t = tied(11, (4, 30)), tied(12, (4, 17))
    h = Histograms.from_values(c, t)
    for p in (0.0, 0.1, 0.5, 0.83, 1.0):
        np.testing.assert_allclose(h.quantile(h.control, np.full(4, p)), np.quantile(c, p, axis=1))
        np.testing.assert_allclose(h.quantile(h.treatment, np.full(4, p)), quantile_point(t, p))


def test_quantile_difference_needs_width_and_values() -> None:
    flat = Histograms.from_values([1.0] * 50, [2.0] * 50)
    assert names(quantile_difference(flat, 0.5).status).tolist() == ["zero_variance"]
    short = Histograms.from_values([1.0, 2.0], [2.0, 3.0])
    assert names(quantile_difference(short, 0.99).status).tolist() == ["no_interval"]


def test_clustered_rate_of_independent_rows_is_binomial() -> None:
    hits = np.random.default_rng(13).random(500) < 0.3
    joint = JointMoments.from_values(np.column_stack([hits, np.ones(500)]).astype(float))
    p = hits.mean()
    assert float(clustered_rate(joint)) == pytest.approx(p * (1 - p) / 499)


def test_winsorising_equals_scipy_and_numpy() -> None:
    x = np.random.default_rng(14).normal(size=(3, 41))
    r = winsorise_count(x, 0.1, 0.05)
    for row, got in zip(x, r.values, strict=True):
        np.testing.assert_array_equal(got, np.asarray(mstats.winsorize(row, (0.1, 0.05))))
    q = winsorise_quantile(x, 0.05, 0.9)
    np.testing.assert_allclose(q.cap_high, np.quantile(x, 0.9, axis=1))
    with pytest.raises(InputError, match="caps out of order"):
        winsorise_quantile(x, 0.9, 0.1)
    with pytest.raises(InputError, match="no value left"):
        winsorise_count(x, 0.6, 0.5)


def test_arms_are_capped_at_the_pooled_quantile() -> None:
    c, t = tied(15, (2, 60)), tied(16, (2, 60)) * 3
    r = winsorise_arms(Histograms.from_values(c, t), 0.05, 0.9)
    low, high = np.quantile(np.concatenate([c, t], axis=1), [0.05, 0.9], axis=1)
    np.testing.assert_allclose(r.cap_high, high)
    expected = Moments.from_values(np.clip(t, low[:, None], high[:, None]))
    np.testing.assert_allclose(r.treatment.mean, expected.mean)
    np.testing.assert_allclose(r.treatment.m2, expected.m2)


def test_yuen_equals_scipys_trimmed_t() -> None:
    rng = np.random.default_rng(17)
    c, t = rng.standard_t(2, (5, 33)), rng.standard_t(2, (5, 48)) + 0.5
    r = yuen(Histograms.from_values(c, t), 0.15)
    expected = stats.ttest_ind(t, c, axis=1, equal_var=False, trim=0.15)
    np.testing.assert_allclose(r.p_value, expected.pvalue, rtol=1e-9)
    np.testing.assert_allclose(r.df, expected.df, rtol=1e-9)


@pytest.mark.parametrize(
    ("buyers", "status"), [(0.105, "ties_at_quantile"), (0.09, "zero_variance"), (0.3, "ok")]
)
def test_a_quantile_beside_the_mass_at_zero_has_no_normal_test(buyers: float, status: str) -> None:
    """With 10.5 % buyers the 90th percentile is now 0 and now a sum of money."""
    rng = np.random.default_rng(5)
    arms = [np.where(np.arange(4_000) < 4_000 * buyers, rng.lognormal(3, 1, 4_000), 0.0) for _ in range(2)]
    found = quantile_difference(Histograms.from_values(*(arm.tolist() for arm in arms)), 0.9)
    assert names(found.status).tolist() == [status]


def test_an_arm_far_away_does_not_hide_the_mass_beside_the_other_arms_quantile() -> None:
    """10.5 % buyers in control and half in treatment: the 90th percentile of both together is far from zero."""
    rng = np.random.default_rng(5)
    arms = [np.where(np.arange(4_000) < buyers, rng.lognormal(3, 1, 4_000), 0.0) for buyers in (420, 2_000)]
    for pair in (arms, arms[::-1]):
        found = quantile_difference(Histograms.from_values(*(arm.tolist() for arm in pair)), 0.9)
        assert names(found.status).tolist() == ["ties_at_quantile"]


def test_a_median_of_counts_has_no_normal_test() -> None:
    rng = np.random.default_rng(6)
    arms = [rng.poisson(40, 2_000).tolist() for _ in range(2)]
    status = names(quantile_difference(Histograms.from_values(*arms), 0.5).status).tolist()
    assert status in (["ties_at_quantile"], ["zero_variance"])


def test_where_a_quantile_is_given_its_test_keeps_its_level() -> None:
    """True nulls with a third of buyers at p = 0.9: at most 5 % and four standard errors of 600 trials."""
    rng = np.random.default_rng(7)
    rejected = []
    for _ in range(600):
        arms = [np.where(rng.random(500) < 1 / 3, rng.lognormal(3, 1, 500).round(2), 0.0) for _ in range(2)]
        found = quantile_difference(Histograms.from_values(*(arm.tolist() for arm in arms)), 0.9)
        assert names(found.status).tolist() == ["ok"]
        rejected.append(found.p_value.item() < 0.05)
    assert np.mean(rejected) < 0.05 + 4 * (0.05 * 0.95 / 600) ** 0.5
