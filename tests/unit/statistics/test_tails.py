from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats

from fairsplit.analysis.statistics.tails import f_log_sf, infer, t_log_sf, t_quantile, t_sf

# Wolfram-checked values of the normal's upper tail.
NORMAL_LOG_SF = {10.0: -53.23128515051247, 40.0: -804.6084420137538, 100.0: -5005.524208694205}


@pytest.mark.parametrize(("z", "expected"), NORMAL_LOG_SF.items())
def test_normal_tails_are_true_far_out(z: float, expected: float) -> None:
    assert float(t_log_sf(np.array(z), np.array(np.inf))) == pytest.approx(expected, rel=1e-13)
    p = float(t_sf(np.array(z), np.array(np.inf)))
    assert p == pytest.approx(np.exp(expected), rel=1e-10, abs=5e-324)


@pytest.mark.parametrize("df", [1.0, 2.5, 30.0, 1e3, 1e6, 1e9])
@pytest.mark.parametrize("t", [10.0, 45.0, 200.0])
def test_t_tails_equal_quadrature_of_the_density(t: float, df: float) -> None:
    peak = stats.t.logpdf(t, df)
    width = max(t, 1.0) / 2 if df < 100 else 1.0 / t
    # The density relative to its value at t, integrated over multiples of its scale.
    rest, _ = integrate.quad(
        lambda u: width * np.exp(stats.t.logpdf(t + width * u, df) - peak), 0, np.inf, epsabs=0, epsrel=1e-10
    )
    assert float(t_log_sf(np.array(t), np.array(df))) == pytest.approx(peak + np.log(rest), rel=1e-7)


@pytest.mark.parametrize("df", [1.0, 3.0, 299.0, 301.0 * 5, 1e4, 1e12, np.inf])
def test_quantile_inverts_the_tail(df: float) -> None:
    upper = np.array([0.4, 0.025, 1e-6, 1e-15])
    back = t_sf(t_quantile(upper, np.array(df)), np.array(df))
    np.testing.assert_allclose(back, upper, rtol=1e-9)


def test_f_tail_of_one_and_k_degrees_is_the_t_tail() -> None:
    t, df = np.array([3.0, 60.0, 1e5]), np.array([40.0, 500.0, 200.0])
    np.testing.assert_allclose(f_log_sf(t**2, np.ones(3), df), np.log(2) + t_log_sf(t, df), rtol=1e-9)


@pytest.mark.parametrize("alternative", ["two-sided", "less", "greater"])
def test_p_value_and_interval_agree_at_every_level(alternative: str) -> None:
    rng = np.random.default_rng(11)
    estimate, se = rng.normal(0, 2, 500), rng.uniform(0.2, 2, 500)
    df, alpha = rng.uniform(1, 2000, 500), rng.uniform(1e-4, 0.6, 500)
    r = infer(estimate, se, df, alpha, alternative)  # type: ignore[arg-type]
    excluded = (r.ci_low > 0) | (r.ci_high < 0)
    np.testing.assert_array_equal(excluded, r.p_value < alpha)
    np.testing.assert_allclose(np.exp(r.log_p), r.p_value, rtol=1e-12)


def test_transformed_tails_equal_the_incomplete_beta_function() -> None:
    rng = np.random.default_rng(12)
    t, df = rng.uniform(-12, 12, 20_000), 10 ** rng.uniform(2.5, 9, 20_000)
    np.testing.assert_allclose(t_sf(t, df), stats.t.sf(t, df), rtol=3e-12)
    mixed = np.array([3.0, 2000.0, np.inf])
    np.testing.assert_allclose(t_sf(np.array(2.5), mixed), stats.t.sf(2.5, mixed), rtol=1e-13)
