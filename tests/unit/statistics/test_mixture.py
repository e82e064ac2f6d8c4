from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats

from fairsplit.analysis.statistics.checks import InputError
from fairsplit.analysis.statistics.mixture import (
    best_rho,
    log_mixture,
    mixture_bound,
    mixture_ratio,
    msprt_bernoulli,
    msprt_normal,
)
from fairsplit.analysis.statistics.status import names


@pytest.mark.parametrize(
    ("s", "v", "rho"), [(3.0, 4.0, 2.0), (-1.5, 10.0, 0.7), (0.0, 1.0, 5.0), (12.0, 9.0, 3.0)]
)
def test_log_mixture_is_the_integral_over_the_mixing_normal(s: float, v: float, rho: float):
    def integrand(x: float) -> float:
        return float(np.exp(x * s - x * x * v / 2) * stats.norm.pdf(x, scale=rho**-0.5))

    both, _ = integrate.quad(integrand, -np.inf, np.inf)
    upper, _ = integrate.quad(integrand, 0, np.inf)
    assert log_mixture(s, v, rho) == pytest.approx(np.log(both), rel=1e-8, abs=1e-9)
    assert log_mixture(s, v, rho, one_sided=True) == pytest.approx(np.log(2 * upper), rel=1e-8, abs=1e-9)


@pytest.mark.parametrize("one_sided", [False, True])
def test_bound_inverts_the_mixture(one_sided: bool):
    v = np.geomspace(1e-3, 1e9, 30)[:, None]
    alpha = np.array([0.4, 0.05, 1e-8, 1e-200])
    bound = mixture_bound(v, 7.0, alpha, one_sided=one_sided)
    np.testing.assert_allclose(
        log_mixture(bound, v, 7.0, one_sided=one_sided),
        np.broadcast_to(-np.log(alpha), bound.shape),
        rtol=1e-9,
    )


def test_tuning_is_near_the_best():
    rho = best_rho(500.0, 0.05)
    around = mixture_bound(500.0, rho * np.geomspace(0.2, 5, 201), 0.05)
    assert mixture_bound(500.0, rho, 0.05) <= around.min() * 1.001


def test_one_sided_tuning_is_two_sided_at_twice_alpha():
    np.testing.assert_allclose(best_rho(30.0, 0.04, one_sided=True), best_rho(30.0, 0.08))


def test_msprt_is_the_mixed_likelihood_ratio():
    x, y = np.array([0.3, 1.9, -0.2, 2.2]), np.array([0.1, -0.4, 0.6, 0.5])
    sigma, tau, theta0 = 1.3, 0.8, 0.2
    d = x - y
    spread = np.sqrt(2) * sigma

    def ratio(theta: float) -> float:
        terms = stats.norm.logpdf(d, theta, spread) - stats.norm.logpdf(d, theta0, spread)
        return float(np.exp(terms.sum()) * stats.norm.pdf(theta, theta0, tau))

    expected, _ = integrate.quad(ratio, -np.inf, np.inf)
    path = msprt_normal(x, y, sigma, tau, theta0)
    assert path.ratio[-1] == pytest.approx(expected, rel=1e-9)
    assert np.all(np.diff(path.always_valid_p) <= 0)


def test_bernoulli_uses_the_running_variance_and_waits_for_it():
    x, y = np.array([1, 1, 0, 1, 1]), np.array([1, 0, 0, 1, 0])
    path = msprt_bernoulli(x, y, 0.3)
    assert np.isnan(path.ratio[0])
    v = 0.8 * 0.2 + 0.4 * 0.6
    n, tau2, d = 5, 0.09, 0.4
    expected = np.sqrt(v / (v + n * tau2)) * np.exp(n**2 * tau2 * d**2 / (2 * v * (v + n * tau2)))
    assert path.ratio[-1] == pytest.approx(expected, rel=1e-12)


def test_comparison_form_equals_the_paired_form():
    rng = np.random.default_rng(5)
    x, y = rng.normal(0.2, 1, 300), rng.normal(0, 1, 300)
    path = msprt_normal(x, y, 1.0, 0.4)
    r = mixture_ratio(x.mean() - y.mean(), np.sqrt(2 / 300), 0.4)
    assert r.log_ratio == pytest.approx(path.log_ratio[-1], rel=1e-10)


def test_p_value_and_interval_agree_and_far_tails_keep_their_logarithm():
    z = np.linspace(-50, 50, 2001)
    r = mixture_ratio(z, 1.0, 2.0, alpha=0.03)
    np.testing.assert_array_equal(r.p_value <= 0.03, (r.low > 0) | (r.high < 0))
    assert mixture_ratio(400.0, 1.0, 2.0).log_ratio == pytest.approx(
        0.5 * (0.8 * 160000 - np.log(5)), rel=1e-12
    )


def test_no_variance_is_typed():
    r = mixture_ratio([1.0, 1.0], [0.0, 1.0], 1.0)
    assert names(r.status).tolist() == ["zero_variance", "ok"]
    assert np.isnan(r.p_value[0])


def test_refuses():
    with pytest.raises(InputError):
        msprt_normal([1.0], [1.0, 2.0], 1.0, 1.0)
    with pytest.raises(InputError):
        msprt_bernoulli([2.0], [1.0], 1.0)
    with pytest.raises(InputError):
        mixture_ratio(0.0, 1.0, 0.0)
    with pytest.raises(InputError):
        best_rho(1.0, 0.6, one_sided=True)
