from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from fairsplit.analysis.statistics.checks import InputError
from fairsplit.analysis.statistics.confidence_sequences import (
    ALTERNATIVES,
    approximate_rho2,
    best_rho2,
    confidence_path,
    confidence_sequence,
    running_minimum,
    sequence_multiplier,
    unit_margin,
)
from fairsplit.analysis.statistics.status import names


@pytest.mark.parametrize("alpha", [0.3, 0.05, 1e-5])
def test_exact_tuning_minimises_the_margin(alpha: float):
    best = best_rho2(1000.0, alpha)
    found = minimize_scalar(
        lambda x: float(unit_margin(1000.0, np.exp(x), alpha)), bounds=(-12, -2), options={"xatol": 1e-10}
    )
    assert np.exp(found.x) == pytest.approx(best, rel=1e-6)
    assert approximate_rho2(1000.0, alpha) == pytest.approx(best, rel=0.2)


def test_tuning_survives_alpha_too_small_for_lambert():
    assert best_rho2(1.0, 1e-170) == pytest.approx(float(best_rho2(1.0, 1e-140)) * 170 / 140, rel=0.01)


@pytest.mark.parametrize("alternative", ALTERNATIVES)
@pytest.mark.parametrize("alpha", [0.01, 0.2])
def test_p_value_and_interval_agree(alternative: str, alpha: float):
    z = np.linspace(-8, 8, 3001)
    r = confidence_sequence(z, 1.0, 400, 1000, alpha, alternative=alternative)
    np.testing.assert_array_equal(r.p_value <= alpha, (r.low > 0) | (r.high < 0))


def test_true_tails_far_out():
    r = confidence_sequence([10.0, 40.0, 400.0], 1.0, 1000, 1000)
    u = best_rho2(1.0)
    expected = 0.5 * np.log1p(u) - 0.5 * np.array([10.0, 40.0, 400.0]) ** 2 * u / (1 + u)
    np.testing.assert_allclose(r.log_p_value, expected, rtol=1e-13)
    assert r.p_value[1] > 0


def test_multiplier_depends_on_the_share_of_the_plan_only_and_exceeds_the_normal_quantile():
    r = sequence_multiplier([10, 1e3, 1e12], [100, 1e4, 1e13])
    np.testing.assert_allclose(r, r[0], rtol=1e-12)
    assert np.all(sequence_multiplier(np.geomspace(1, 1e9, 50), 1e5) > 1.96)


def test_uncomputable_is_typed():
    r = confidence_sequence([1.0, 1.0, 1.0], [1.0, 0.0, 1.0], [1, 50, 50], 100)
    assert names(r.status).tolist() == ["insufficient_sample", "zero_variance", "ok"]
    assert np.isnan(r.low[:2]).all()
    assert np.isfinite(r.low[2])


def test_path_equals_the_sequence_at_each_time():
    x = np.random.default_rng(4).normal(1e9, 1, 60)
    path = confidence_path(x, 50)
    r = confidence_sequence(x[:40].mean() - 1e9, x[:40].std(ddof=1) / np.sqrt(40), 40, 50)
    assert path.low[39] - 1e9 == pytest.approx(float(r.low), abs=1e-6)
    assert path.low[0] == -np.inf


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ((float("nan"), 1.0, 5, 10), "not_finite"),
        ((0.0, -1.0, 5, 10), "negative"),
        ((0.0, 1.0, 5, 0), "out_of_range"),
        ((0.0, 1.0, 5, 10, 1.0), "out_of_range"),
        ((True, 1.0, 5, 10), "not_a_number"),
    ],
)
def test_refuses(arguments: tuple[float, ...], code: str):
    with pytest.raises(InputError) as caught:
        confidence_sequence(*arguments)
    assert caught.value.code == code


def test_running_minimum_refuses_what_is_no_p_value():
    with pytest.raises(InputError):
        running_minimum([0.1, 1.1])
    with pytest.raises(InputError):
        running_minimum(0.1)
