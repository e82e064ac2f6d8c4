"""SRM against published numbers, SciPy and the paper's own recursion."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special, stats

from fairsplit.analysis.statistics.checks import InputError
from fairsplit.analysis.statistics.srm import (
    srm_chi_square,
    srm_chi_square_phases,
    srm_exact,
    srm_fixed,
    srm_sequential,
)
from fairsplit.analysis.statistics.status import names


def _recursion(data: np.ndarray, p0: np.ndarray, alpha: np.ndarray) -> list[float]:
    """Lindon & Malek's update, batch after batch, in plain log-gammas."""
    out, total = [], 0.0
    for n in data:
        total += special.gammaln(alpha.sum()) - special.gammaln(alpha).sum()
        total += special.gammaln(alpha + n).sum() - special.gammaln((alpha + n).sum())
        total -= special.xlogy(n, p0).sum()
        alpha = alpha + n
        out.append(total)
    return out


def test_chi_square_equals_scipy_for_many_experiments_at_once():
    rng = np.random.default_rng(3)
    counts = rng.integers(50, 500, (40, 3))
    weights = rng.dirichlet([20, 20, 20], 40)
    got = srm_chi_square(counts, weights)
    expected = [stats.chisquare(c, c.sum() * w) for c, w in zip(counts, weights, strict=True)]
    np.testing.assert_allclose(got.statistic, [e.statistic for e in expected], rtol=1e-12)
    np.testing.assert_allclose(got.p_value, [e.pvalue for e in expected], rtol=1e-9)


def test_chi_square_tail_is_true_where_the_p_value_underflows():
    got = srm_chi_square([600_000, 400_000], [1, 1])
    assert got.p_value == 0
    # log of erfc(sqrt(x/2)) for x = 40,000, from the asymptotic series of erfc.
    assert got.log_p_value == pytest.approx(-20000 - 0.5 * np.log(np.pi * 20000), rel=1e-8)


def test_padding_with_arms_of_weight_zero_changes_nothing():
    padded = srm_chi_square([[60, 40, 0], [30, 30, 50]], [[1, 1, 0], [1, 1, 1]])
    assert padded.df.tolist() == [1, 2]
    assert padded.statistic[0] == pytest.approx(4.0)


def test_a_unit_in_a_zero_weight_arm_is_impossible_under_every_test():
    for test in (srm_chi_square, srm_exact, srm_fixed):
        got = test([10, 1, 11], [1, 0, 1])
        assert got.impossible
        assert got.p_value == 0
    assert srm_sequential([[10, 1, 11]], [1, 0, 1]).p_value[-1] == 0
    assert srm_chi_square_phases([[5, 5], [5, 1]], [[1, 1], [1, 0]]).p_value == 0


def test_uncomputable_cases_have_reasons():
    assert names(srm_chi_square([[0, 0], [5, 0]], [[1, 1], [1, 0]]).status).tolist() == [
        "no_exposure",
        "infeasible",
    ]
    assert names(srm_exact([400, 300, 300, 100], [1, 1, 1, 1]).status) == "too_large_for_exact"
    assert names(srm_sequential([[0, 0]], [1, 1]).status) == "no_exposure"


@pytest.mark.parametrize(
    ("counts", "weights", "code"),
    [
        ([-1, 2], [1, 1], "negative"),
        ([1.5, 2], [1, 1], "not_whole"),
        ([1, 2], [np.nan, 1], "not_finite"),
        ([True, False], [1, 1], "not_a_number"),
        ([1, 2], [0, 0], "out_of_range"),
        ([1, 2], [1, 1, 1], "shape_mismatch"),
        (3, 1, "shape_mismatch"),
    ],
)
def test_impossible_inputs_are_refused(counts, weights, code):
    with pytest.raises(InputError) as caught:
        srm_chi_square(counts, weights)
    assert caught.value.code == code


def test_exact_two_arms_equals_scipys_binomial_test():
    k, n, p = np.meshgrid([0, 1, 4, 9], [9, 17, 40], [0.5, 0.1, 0.83])
    k, n, p = k.ravel(), n.ravel(), p.ravel()
    got = srm_exact(np.column_stack([k, n - k]), np.column_stack([p, 1 - p]))
    expected = [stats.binomtest(int(a), int(b), c).pvalue for a, b, c in zip(k, n, p, strict=True)]
    np.testing.assert_allclose(got.p_value, expected, rtol=1e-9)


def test_exact_three_arms_equals_a_sum_over_all_outcomes():
    law = stats.multinomial(12, [0.5, 0.3, 0.2])
    outcomes = [(i, j, 12 - i - j) for i in range(13) for j in range(13 - i)]
    seen = law.pmf([2, 5, 5])
    expected = sum(q for q in law.pmf(outcomes) if q <= seen * (1 + 1e-7))
    got = srm_exact([2, 5, 5, 0], [0.5, 0.3, 0.2, 0.0])
    assert got.p_value == pytest.approx(expected, rel=1e-10)


def test_fixed_takes_the_exact_law_only_where_counts_are_small():
    got = srm_fixed([[3, 5], [300, 200], [0, 0]], [1, 1])
    assert got.exact.tolist() == [True, False, False]
    assert got.p_value[0] == pytest.approx(stats.binomtest(3, 8).pvalue)
    assert got.p_value[1] == pytest.approx(stats.chisquare([300, 200]).pvalue)
    assert np.isnan(got.p_value[2])


def test_phases_with_one_vector_of_weights_are_pearsons_statistic():
    counts = np.array([[40, 30, 25], [400, 300, 290], [0, 0, 0]])
    got = srm_chi_square_phases(counts, [0.4, 0.3, 0.3])
    total = srm_chi_square(counts.sum(axis=0), [0.4, 0.3, 0.3])
    assert got.statistic == pytest.approx(float(total.statistic), rel=1e-12)
    assert got.df == 2


def test_phases_of_two_arms_are_the_squared_z_of_the_summed_binomials():
    n, p, x = np.array([1000, 1000]), np.array([0.9, 0.5]), np.array([880, 470])
    z = (x - n * p).sum() / np.sqrt((n * p * (1 - p)).sum())
    got = srm_chi_square_phases(np.column_stack([x, n - x]), np.column_stack([p, 1 - p]))
    assert got.statistic == pytest.approx(z**2, rel=1e-10)
    assert got.p_value == pytest.approx(2 * stats.norm.sf(abs(z)), rel=1e-9)


def test_sequential_follows_the_papers_recursion():
    rng = np.random.default_rng(5)
    p0 = np.array([0.45, 0.35, 0.2])
    data = rng.multinomial(500, [0.5, 0.3, 0.2], size=20)
    got = srm_sequential(data, p0)
    np.testing.assert_allclose(got.log_bayes_factor, _recursion(data, p0, 10_000 * p0), atol=1e-8)
    running = np.minimum.accumulate(np.minimum(1, np.exp(-got.log_bayes_factor)))
    np.testing.assert_allclose(got.p_value, running)


def test_sequential_takes_any_dirichlet_prior():
    data = np.array([[20, 17, 9], [18, 21, 8], [4, 6, 4], [18, 19, 11]])
    p0, prior = np.array([0.4, 0.4, 0.2]), np.array([3.0, 0.5, 7.0])
    got = srm_sequential(data, p0, dirichlet=prior)
    np.testing.assert_allclose(got.log_bayes_factor, _recursion(data, p0, prior), rtol=1e-10)


def test_batches_may_be_split_while_the_weights_stay():
    whole = srm_sequential([[900, 1100], [950, 1050]], [1, 1])
    parts = srm_sequential([[300, 700], [600, 400], [0, 0], [950, 1050]], [1, 1])
    np.testing.assert_allclose(parts.log_bayes_factor[[1, 3]], whole.log_bayes_factor, rtol=1e-10)


def test_a_loss_that_survives_a_change_of_weights_keeps_adding_evidence():
    # The second arm loses 3 % of its units before and after the ramp.
    before = np.round(np.array([90_000, 10_000]) * [1, 0.97])
    after = np.round(np.array([50_000, 50_000]) * [1, 0.97])
    got = srm_sequential(np.stack([before, after, after]), [[9, 1], [1, 1], [1, 1]])
    restart = srm_sequential(np.stack([after, after]), [1, 1])
    assert np.all(np.diff(got.log_bayes_factor) > 0)
    # What was learned in the first phase predicts the second better than no knowledge does.
    gained = got.log_bayes_factor[2] - got.log_bayes_factor[0]
    assert gained > restart.log_bayes_factor[1]


def test_an_arm_that_joins_later_is_judged_from_its_first_unit():
    got = srm_sequential(
        [[5000, 5000, 0], [3333, 3334, 3333], [3000, 3000, 3600]], [[1, 1, 0], [1, 1, 1], [1, 1, 1]]
    )
    assert got.p_value[1] == 1
    assert got.p_value[2] < 1e-4


def test_huge_counts_keep_their_digits():
    half = 5e11
    exact_share = srm_sequential([[half, half]], [1, 1])
    # -log sqrt of the growth of the concentration: 0.5 log((A + n)/A) for two arms.
    expected = 0.5 * np.log(10_000 / (10_000 + 1e12))
    assert exact_share.log_bayes_factor[0] == pytest.approx(expected, abs=1e-4)


def test_absurd_weights_still_answer():
    got = srm_sequential([[2**53, 0]], [1e-300, 1])
    assert got.log_bayes_factor[0] > 1e18
    assert got.p_value[0] == 0
    np.testing.assert_allclose(srm_exact([3, 0, 1], [1 - 1e-12, 1e-12, 1e-12]).p_value, 8e-12, rtol=1e-6)
