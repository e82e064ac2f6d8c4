from __future__ import annotations

import numpy as np
import pytest
from statsmodels.stats.power import NormalIndPower

from fairsplit.analysis.statistics.checks import InputError
from fairsplit.analysis.statistics.planning_designs import (
    comparison_alpha,
    cuped_variance,
    days_by_forecast,
    days_needed,
    design_effect,
    plan_always_valid,
    plan_group_sequential,
    plan_sprt,
    ratio_variance,
    sample_size_mann_whitney,
    sample_size_z,
)


def test_sample_size_equals_statsmodels():
    theirs = NormalIndPower().solve_power(0.2, alpha=0.05, power=0.8, ratio=2.0)  # counts the far tail too
    assert sample_size_z(0.2, 1.0, ratio=2.0) == pytest.approx(theirs, rel=1e-5)


def test_noether_example():
    # Noether (1987), section 3: 80 % power at one-sided 0.05 against P(Y > X) = 0.7 takes about 26 per arm
    assert sample_size_mann_whitney(0.7, 0.8, 0.05, sides=1) == pytest.approx(25.8, abs=0.1)


def test_variances():
    assert cuped_variance(4.0, -0.6) == pytest.approx(4 * 0.64)
    rng = np.random.default_rng(11)
    d = rng.poisson(5, 400_000) + 1.0
    y = rng.binomial(d.astype(int), 0.3).astype(float)
    planned = ratio_variance(y.mean(), d.mean(), y.var(), d.var(), np.cov(y, d)[0, 1])
    linear = (y - y.mean() / d.mean() * d) / d.mean()
    assert planned == pytest.approx(linear.var(), rel=1e-5)
    assert design_effect(1.0, 0.4) == 1.0


def test_per_comparison_errors_lie_between_bonferroni_and_none():
    k = np.arange(1, 8)
    dunnett = comparison_alpha(0.05, k)
    assert dunnett[0] == pytest.approx(0.05, rel=1e-6)
    assert np.all(dunnett[1:] > comparison_alpha(0.05, k, "bonferroni")[1:])
    assert np.all(comparison_alpha(0.05, k, "none") == 0.05)


def test_known_inflation_of_spending_designs():
    # Jennison and Turnbull (2000), table 7.6 region: O'Brien-Fleming-type spending costs about 2 % at four
    # looks
    plan = plan_group_sequential([[0.25, 0.5, 0.75, 1.0], [0.5, 1.0, np.nan, np.nan]])
    assert np.all((plan.maximum > 1.0) & (plan.maximum < 1.03))
    assert np.all(plan.expected_effect < 0.95)


def test_order_of_the_sequential_methods():
    looks = np.arange(1, 21) / 20
    gs, av = plan_group_sequential(looks, power=0.9), plan_always_valid(looks, power=0.9)
    assert 1 < gs.maximum < av.maximum < 2.5
    assert plan_sprt(power=0.9, sides=1).expected_effect < 0.6
    assert np.isinf(plan_sprt().maximum)


def test_days():
    np.testing.assert_array_equal(days_needed([0.0, 1.0, 100.0], 100.0, 0.5), [1, 2, 2])
    np.testing.assert_array_equal(
        days_by_forecast([100.0, 101.0, 300.0], [100.0, 90.0, 80.0], 7), [8, 9, np.nan]
    )


def test_refuses():
    with pytest.raises(InputError):
        sample_size_z(0.0, 1.0)
    with pytest.raises(InputError):
        sample_size_mann_whitney(0.5)
    with pytest.raises(InputError):
        cuped_variance(1.0, 1.1)
    with pytest.raises(InputError):
        ratio_variance(1.0, 0.0, 1.0, 1.0, 0.0)
    with pytest.raises(InputError):
        design_effect(0.5, 0.1)
    with pytest.raises(InputError):
        comparison_alpha(0.05, 0)
    with pytest.raises(InputError):
        days_by_forecast(1.0, 5.0)
