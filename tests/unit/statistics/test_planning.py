from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.power import NormalIndPower, TTestIndPower

from fairsplit.analysis.statistics.checks import InputError
from fairsplit.analysis.statistics.planning import (
    mde_two_proportions,
    mde_two_sample_z,
    mde_z,
    power_cohens_h,
    power_two_proportions,
    power_two_sample_t,
    power_z,
    sample_size_two_proportions,
    sample_size_two_sample_t,
)


def test_examples_of_r_power_prop_test():
    assert power_two_proportions(0.5, 0.75, 50) == pytest.approx(0.740, abs=5e-4)
    assert sample_size_two_proportions(0.5, 0.75, 0.9) == pytest.approx(76.7, abs=0.05)


def test_examples_of_r_power_t_test():
    # R's root finder stops within 1e-4, and R leaves out the far tail
    assert power_two_sample_t(1.0, 1.0, 20) == pytest.approx(0.8689528, abs=1e-6)
    assert sample_size_two_sample_t(1.0, 1.0, 0.9) == pytest.approx(22.02110, abs=1e-4)
    assert sample_size_two_sample_t(1.0, 1.0, 0.9, alternative="greater") == pytest.approx(17.84713, abs=1e-4)


def test_examples_of_r_pwr():
    assert power_cohens_h(0.3, 80, alternative="greater") == pytest.approx(0.5996777, abs=1e-7)
    assert power_cohens_h(0.3, 80, 245, alternative="greater") == pytest.approx(0.7532924, abs=1e-7)


@pytest.mark.parametrize(
    ("ours", "theirs"), [("two-sided", "two-sided"), ("greater", "larger"), ("less", "smaller")]
)
def test_equals_statsmodels(ours: str, theirs: str):
    for d, n1, ratio in ((0.3, 40, 1.0), (-0.1, 500, 2.5), (0.02, 60, 0.4)):
        t = TTestIndPower().power(d, n1, 0.05, ratio, alternative=theirs)
        assert power_two_sample_t(d, 1.0, n1, n1 * ratio, alternative=ours) == pytest.approx(t, rel=1e-7)
        z = NormalIndPower().power(d, n1, 0.05, ratio, alternative=theirs)
        assert power_cohens_h(d, n1, n1 * ratio, alternative=ours) == pytest.approx(z, rel=1e-10)
        se = np.sqrt(1 / n1 + 1 / (n1 * ratio))
        assert power_z(d, se, alternative=ours) == pytest.approx(z, rel=1e-10)


@pytest.mark.parametrize("ratio", [0.25, 1.0, 3.0])
def test_sizes_and_powers_are_inverse(ratio: float):
    p1 = np.array([1e-7, 0.02, 0.5])
    p2 = p1 * 1.3
    n = sample_size_two_proportions(p1, p2, 0.83, 0.01, ratio=ratio)
    np.testing.assert_allclose(power_two_proportions(p1, p2, n, n * ratio, 0.01), 0.83, rtol=1e-9)
    np.testing.assert_allclose(mde_two_proportions(p1, n, n * ratio, 0.83, 0.01), p2 - p1, rtol=1e-7)
    delta = np.array([2.0, 0.1, 1e-4])
    n = sample_size_two_sample_t(delta, 1.7, 0.83, 0.01, ratio=ratio)
    np.testing.assert_allclose(power_two_sample_t(delta, 1.7, n, n * ratio, 0.01), 0.83, rtol=1e-9)
    mde = mde_two_sample_z(1.7, n, n * ratio, 0.83, 0.01)
    z = stats.norm.isf(0.005) + stats.norm.ppf(0.83)
    np.testing.assert_allclose(mde, z * 1.7 * np.sqrt((1 + 1 / ratio) / n), rtol=1e-12)


def test_large_samples_are_the_normal_ones():
    assert sample_size_two_sample_t(1e-5, 1.0, 0.8) == pytest.approx(
        2 * (1.959964 + 0.841621) ** 2 * 1e10, rel=1e-5
    )


def test_extremes():
    assert np.isnan(sample_size_two_sample_t(1e-9, 1.0))
    assert sample_size_two_sample_t(500.0, 1.0) == pytest.approx(1.5)
    assert np.isnan(mde_two_proportions(0.99, 50, power=0.9))
    assert mde_z(1.0, 0.8, 0.05, sides=1) == pytest.approx(1.644854 + 0.841621, abs=1e-6)


def test_refuses():
    with pytest.raises(InputError):
        sample_size_two_proportions(0.1, 0.1)
    with pytest.raises(InputError):
        sample_size_two_sample_t(-1.0, 1.0, alternative="greater")
    with pytest.raises(InputError):
        sample_size_two_sample_t(1.0, 1.0, power=0.04)
    with pytest.raises(InputError):
        power_two_sample_t(1.0, 1.0, 1, 1)
    with pytest.raises(InputError):
        power_z(1.0, 1.0, alternative="both")
