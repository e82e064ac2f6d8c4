from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats

from fairsplit.analysis.statistics.checks import InputError
from fairsplit.analysis.statistics.conditional_power import (
    conditional_power,
    conditional_rejection,
    predictive_power,
)


def test_equals_the_conditional_normal():
    z, t, final, theta = 1.2, 0.4, 1.96, 2.9
    r = conditional_power(z, t, final, theta)
    b = z * np.sqrt(t)
    for drift, got in ((theta, r.planned), (b / t, r.trend), (0.0, r.null)):
        assert got == pytest.approx(stats.norm.sf(final, b + drift * (1 - t), np.sqrt(1 - t)), rel=1e-12)


@pytest.mark.parametrize(("mean", "sd"), [(0.0, 1e6), (2.0, 0.5)])
def test_predictive_power_is_the_mixture_over_the_posterior(mean: float, sd: float):
    z, t, final = 0.9, 0.3, 2.0
    b = z * np.sqrt(t)
    precision = t + sd**-2
    centre = (b + mean / sd**2) / precision

    def weighted(theta: float) -> float:
        cp = stats.norm.sf((final - b - theta * (1 - t)) / np.sqrt(1 - t))
        return float(cp * stats.norm.pdf(theta, centre, precision**-0.5))

    expected, _ = integrate.quad(weighted, centre - 12 / precision**0.5, centre + 12 / precision**0.5)
    assert predictive_power(z, t, final, mean, sd) == pytest.approx(expected, rel=1e-8)
    if sd > 1e5:
        assert conditional_power(z, t, final, 1.0).predictive == pytest.approx(expected, rel=1e-6)


def test_one_later_look_is_the_closed_form_and_more_looks_give_more_chances():
    one = conditional_rejection([1.0], [0.5], [[1.0]], [[1.97]], [2.8])
    assert one[0] == pytest.approx(float(conditional_power(1.0, 0.5, 1.97, 2.8).planned), rel=1e-9)
    two = conditional_rejection([1.0], [0.5], [[0.75, 1.0]], [[2.36, 1.97]], [2.8])
    assert one[0] < two[0] < 1


def test_refuses():
    with pytest.raises(InputError):
        conditional_power(1.0, 1.0, 1.96, 2.8)
    with pytest.raises(InputError):
        conditional_rejection([1.0], [0.5], [[0.5]], [[1.96]], [0.0])
