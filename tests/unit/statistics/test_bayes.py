"""Bayesian results against closed forms, adaptive quadrature and arithmetic at high precision."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import integrate, special, stats

from fairsplit.analysis.statistics import bayes_beta
from fairsplit.analysis.statistics.bayes_beta import beta_best, beta_compare, beta_interval
from fairsplit.analysis.statistics.bayes_normal import normal_best, normal_effect, unit_normal_loss
from fairsplit.analysis.statistics.checks import InputError
from fairsplit.analysis.statistics.logit_beta import log_fall
from fairsplit.analysis.statistics.status import names


def _miller(a_c: int, b_c: int, a_t: int, b_t: int) -> float:
    """P(treatment > control) by Miller's sum over the treatment's successes."""
    i = np.arange(a_t)
    terms = special.betaln(a_c + i, b_t + b_c) - np.log(b_t + i) - special.betaln(1 + i, b_t)
    return float(np.exp(terms - special.betaln(a_c, b_c)).sum())


@pytest.mark.parametrize(
    ("x_c", "n_c", "x_t", "n_t"), [(120, 1000, 140, 1000), (0, 10, 3, 12), (5, 5, 1, 400), (50, 90, 50, 90)]
)
def test_chance_to_beat_equals_millers_closed_form(x_c, n_c, x_t, n_t):
    got = beta_compare(x_c, n_c, x_t, n_t)
    expected = _miller(x_c + 1, n_c - x_c + 1, x_t + 1, n_t - x_t + 1)
    assert got.p_beat == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("prior", [(0.5, 0.5), (1, 1), (0.1, 3), (40, 60)])
def test_losses_equal_adaptive_quadrature(prior):
    c = stats.beta(30 + prior[0], 170 + prior[1])
    t = stats.beta(9 + prior[0], 41 + prior[1])
    expected_c = integrate.quad(lambda v: c.cdf(v) * t.sf(v), 0, 1, epsabs=1e-13)[0]
    expected_t = integrate.quad(lambda v: t.cdf(v) * c.sf(v), 0, 1, epsabs=1e-13)[0]
    got = beta_compare(30, 200, 9, 50, prior=prior)
    assert got.loss_choose_c == pytest.approx(expected_c, rel=1e-8)
    assert got.loss_choose_t == pytest.approx(expected_t, rel=1e-8)
    assert got.mean_diff == pytest.approx(t.mean() - c.mean(), rel=1e-12)
    # E[t - c] is the difference of the two losses, whatever the posteriors.
    assert got.loss_choose_c - got.loss_choose_t == pytest.approx(float(got.mean_diff), abs=1e-13)


def test_huge_samples_and_tiny_rates():
    wide = beta_compare(5e11, 1e12, 5e11 + 1e6, 1e12)
    sd = np.sqrt(0.5e-12)
    z = 1e-6 / sd
    assert wide.p_beat == pytest.approx(stats.norm.cdf(z), abs=1e-10)
    assert wide.loss_choose_t == pytest.approx(sd * (stats.norm.pdf(z) - z * stats.norm.sf(z)), rel=1e-8)
    just = beta_compare(2e9, 1e11, 2e9 + 5e4, 1e11)
    z = 5e-7 / np.sqrt(2 * 0.02 * 0.98 / 1e11)
    assert just.p_beat == pytest.approx(stats.norm.cdf(z), abs=1e-5)
    rare = beta_compare(10, 1e8, 12, 1e8)
    # At a rate of 1e-7 the posteriors are Gamma: P = I_{1/2}(x_c + 1, x_t + 1).
    assert rare.p_beat == pytest.approx(special.betainc(11, 13, 0.5), abs=1e-6)
    rarer = beta_compare(10, 1e15, 12, 1e15)
    assert rarer.p_beat == pytest.approx(special.betainc(11, 13, 0.5), rel=1e-11)


def test_arms_of_very_different_width_are_both_resolved():
    got = beta_best([500_000, 1], [1_000_000, 2])
    # The narrow arm is a point at 1/2, where Beta(2, 2) has half its mass.
    assert got.p_best[1] == pytest.approx(0.5, abs=1e-5)
    normal = normal_best([0.0, 0.3], [1e-6, 1.0])
    assert normal.p_best[1] == pytest.approx(stats.norm.cdf(0.3), abs=1e-9)


def test_arms_far_apart_lose_their_whole_difference():
    got = beta_compare([0, 10], [1480, 10**9], [1121, 10**9 - 5], [1121, 10**9])
    np.testing.assert_allclose(got.loss_choose_c, got.mean_diff, rtol=1e-10)


def test_the_expansion_for_huge_counts_meets_the_exact_function():
    a, b = np.array([1.2e9, 3e9, 4e9]), np.array([8e9, 3e9, 2e9])
    for d in np.linspace(-4, 4, 17):
        distance = d * np.sqrt((a + b) / a / b)
        cdf, sf = bayes_beta._huge_tails(a, b, distance, log_fall(a, b, distance))
        x = special.expit(np.log(a) - np.log(b) + distance)
        np.testing.assert_allclose(cdf, special.betainc(a, b, x), atol=1e-9)
        np.testing.assert_allclose(cdf + sf, 1.0)
    edge = beta_interval([1e9 - 2, 1e9 + 2], 1e10, alpha=0.05)
    np.testing.assert_allclose(np.diff(edge.low), 4e-10, rtol=1e-3)
    np.testing.assert_allclose(np.diff(edge.high), 4e-10, rtol=1e-3)
    vast = beta_interval(5e11, 1e12)
    assert vast.low == pytest.approx(0.5 - 1.959963984540054 * 0.5e-6, rel=1e-13)


# P(treatment > control) by adaptive quadrature with 40 digits.
@pytest.mark.parametrize(
    ("beta_c", "beta_t", "expected"),
    [
        ((0.01, 0.01), (1000.01, 999000.01), 0.4667051245184915),
        ((0.5, 300.5), (3.5, 40.5), 0.9998056934332508),
        ((500.0, 500.0), (520.0, 480.0), 0.814618898587132),
    ],
)
def test_chance_to_beat_at_40_digits(beta_c, beta_t, expected):
    a, b = np.array([[beta_c[0], beta_t[0]]]), np.array([[beta_c[1], beta_t[1]]])
    assert bayes_beta._best_of_betas(a, b).p_best[0, 1] == pytest.approx(expected, rel=1e-13)


# Case bayes-probability-of-a-share: two uniform priors, by numerical integration.
@pytest.mark.parametrize(
    ("counts", "expected"),
    [((0, 1000, 1, 1000), 0.7501), ((0, 20, 2, 20), 0.8841), ((5, 50, 9, 50), 0.8684)],
)
def test_chance_of_a_share_with_few_events(counts, expected):
    x_c, n_c, x_t, n_t = counts
    got = beta_compare(*counts)
    c, t = stats.beta(x_c + 1, n_c - x_c + 1), stats.beta(x_t + 1, n_t - x_t + 1)
    marks = t.ppf([0, 1e-6, 0.5, 1 - 1e-6, 1])
    pieces = list(itertools.pairwise(marks))
    integral = sum(integrate.quad(lambda v: t.pdf(v) * c.cdf(v), a, b, epsabs=1e-13)[0] for a, b in pieces)
    assert got.p_beat == pytest.approx(integral, rel=1e-9)
    assert got.p_beat == pytest.approx(expected, abs=5e-5)
    assert got.p_behind == pytest.approx(1 - integral, rel=1e-9)


def test_two_arms_by_the_narrow_ones_nodes_equal_the_grid_of_both():
    rng = np.random.default_rng(8)
    n = np.floor(10 ** rng.uniform(0, 6, (2, 300)))
    x = rng.binomial(
        n.astype(int), np.clip(10 ** rng.uniform(-4, 0, 300) * 10 ** rng.normal(0, 0.1, (2, 300)), 0, 1)
    )
    got = beta_compare(x[0], n[0], x[1], n[1])
    a, b = np.stack(list(x + 1.0), axis=-1), np.stack(list(n - x + 1.0), axis=-1)
    both = bayes_beta._best_of_betas(a, b)
    pairs = (
        (got.p_beat, both.p_best[:, 1]),
        (got.p_behind, both.p_best[:, 0]),
        (got.loss_choose_c, both.expected_loss[:, 0]),
        (got.loss_choose_t, both.expected_loss[:, 1]),
    )
    for one, other in pairs:
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-15)


def test_tiny_priors_with_huge_counts_still_answer():
    got = beta_compare([0, 1e15], [1e15, 1e15], [0, 1e15 - 5], [1e15, 1e15], prior=[1e-3, 1e-3])
    np.testing.assert_allclose(got.p_beat[0], 0.5)
    np.testing.assert_allclose(got.loss_choose_c - got.loss_choose_t, got.mean_diff, atol=1e-18)


def test_best_of_two_normals_is_closed_form():
    got = normal_best([0.1, 0.35], [0.2, 0.15])
    sd = np.hypot(0.2, 0.15)
    assert got.p_best[1] == pytest.approx(stats.norm.cdf(0.25 / sd), rel=1e-11)
    loss = sd * stats.norm.pdf(0.25 / sd) - 0.25 * stats.norm.sf(0.25 / sd)
    assert got.expected_loss[1] == pytest.approx(loss, rel=1e-10)
    assert got.expected_loss[0] == pytest.approx(loss + 0.25, rel=1e-10)


def test_equal_arms_share_the_chance_and_the_known_expected_maximum():
    got = normal_best(np.zeros(3), np.ones(3))
    np.testing.assert_allclose(got.p_best, 1 / 3, rtol=1e-12)
    # E[max of three standard Normals] = 3 / (2 sqrt(pi)).
    np.testing.assert_allclose(got.expected_loss, 1.5 / np.sqrt(np.pi), rtol=1e-11)
    many = beta_best(np.full((2, 14), 30), np.full((2, 14), 300))
    np.testing.assert_allclose(many.p_best, 1 / 14, rtol=1e-10)


def test_best_of_four_betas_equals_adaptive_quadrature():
    x, n = np.array([20, 25, 30, 4]), np.array([100, 110, 120, 10])
    arms = [stats.beta(a + 1, b - a + 1) for a, b in zip(x, n, strict=True)]

    def others(v, i):
        return np.prod([arm.cdf(v) for j, arm in enumerate(arms) if j != i])

    got = beta_best(x, n)
    for i, arm in enumerate(arms):
        p = integrate.quad(lambda v, i=i, arm=arm: arm.pdf(v) * others(v, i), 0, 1, epsabs=1e-12)[0]
        loss = integrate.quad(lambda v, i=i, arm=arm: arm.cdf(v) * (1 - others(v, i)), 0, 1, epsabs=1e-12)[0]
        assert got.p_best[i] == pytest.approx(p, rel=1e-8)
        assert got.expected_loss[i] == pytest.approx(loss, rel=1e-8)


def test_offsets_do_not_cost_digits():
    near = normal_best([0.0, 1.0, -1.0], 1.0)
    far = normal_best([1e9, 1e9 + 1, 1e9 - 1], 1.0)
    np.testing.assert_allclose(far.p_best, near.p_best, rtol=1e-12)
    np.testing.assert_allclose(far.expected_loss, near.expected_loss, rtol=1e-12)


# Raiffa & Schlaifer's unit normal loss, computed with 60 digits.
@pytest.mark.parametrize(
    ("z", "loss"),
    [
        (0.0, 0.3989422804014327),
        (1.0, 0.08331547058768535),
        (-2.0, 2.008490702616979),
        (10.0, 7.47456025458932804e-25),
        (37.0, 1.54519919051220246e-301),
    ],
)
def test_unit_normal_loss_in_the_tail(z, loss):
    assert unit_normal_loss(np.array(z)) == pytest.approx(loss, rel=1e-9)


def test_posterior_of_an_effect_weighs_prior_and_data_by_precision():
    got = normal_effect(0.2, 0.1, prior_mean=0.05, prior_sd=0.2, alpha=0.1)
    precision = 1 / 0.1**2 + 1 / 0.2**2
    mean = (0.2 / 0.1**2 + 0.05 / 0.2**2) / precision
    posterior = stats.norm(mean, precision**-0.5)
    assert got.mean == pytest.approx(mean)
    assert got.chance_to_win == pytest.approx(posterior.sf(0))
    assert got.log_chance_to_lose == pytest.approx(posterior.logcdf(0))
    assert (got.ci_low, got.ci_high) == pytest.approx(posterior.interval(0.9))
    risk = integrate.quad(lambda e: -e * posterior.pdf(e), -2, 0, epsabs=1e-14)[0]
    assert got.risk_t == pytest.approx(risk, rel=1e-7)


def test_a_flat_prior_repeats_the_estimate_and_the_tail_is_true_at_z_40():
    got = normal_effect([0.3, 40.0, 1.0], [0.1, 1.0, 0.0])
    assert got.mean[0] == 0.3
    assert got.log_chance_to_lose[1] == pytest.approx(stats.norm.logsf(40), rel=1e-12)
    assert names(got.status).tolist() == ["ok", "ok", "zero_variance"]
    assert np.isnan(got.chance_to_win[2])


def test_interval_of_a_rate_equals_scipy():
    got = beta_interval([0, 20], [10, 100], prior=[0.5, 0.5], alpha=0.1)
    np.testing.assert_allclose(got.low, stats.beta.ppf(0.05, [0.5, 20.5], [10.5, 80.5]), rtol=1e-10)
    np.testing.assert_allclose(got.high, stats.beta.isf(0.05, [0.5, 20.5], [10.5, 80.5]), rtol=1e-10)


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda: beta_compare(11, 10, 1, 10), "out_of_range"),
        (lambda: beta_compare(1, 10, 1, 10, prior=[0, 1]), "out_of_range"),
        (lambda: beta_compare(1, 10, 1, 10, prior=[1, 1, 1]), "shape_mismatch"),
        (lambda: normal_best([1.0, np.nan], 1.0), "not_finite"),
        (lambda: normal_best([1.0, 2.0], 0.0), "out_of_range"),
        (lambda: normal_effect(1.0, -1.0), "negative"),
        (lambda: normal_effect(1.0, 1.0, alpha=1.0), "out_of_range"),
        (lambda: normal_best(1.0, 1.0), "shape_mismatch"),
        (lambda: beta_best(1, 2), "shape_mismatch"),
    ],
)
def test_impossible_inputs_are_refused(call, code):
    with pytest.raises(InputError) as caught:
        call()
    assert caught.value.code == code


def test_a_near_certain_chance_is_at_most_one():
    # The weights of the quadrature sum to 1 + 2e-16 for these.
    x_c, n_c, x_t, n_t = (
        np.array(two) for two in zip((1885, 7332, 1494, 4545), (1916, 7461, 1529, 4650), strict=True)
    )
    found, turned = beta_compare(x_c, n_c, x_t, n_t), beta_compare(x_t, n_t, x_c, n_c)
    assert (found.p_beat > 0.999).all()
    assert max(one.max() for one in (found.p_beat, found.p_behind, turned.p_beat, turned.p_behind)) <= 1.0
