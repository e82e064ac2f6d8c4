from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from fairsplit.analysis.statistics.histograms import Histograms
from fairsplit.analysis.statistics.normality import histogram_skewness, rate_skewness, skewness_rule


def test_skewness_equals_scipy_and_a_rates_equals_its_values() -> None:
    rng = np.random.default_rng(1)
    c, t = rng.poisson(2, (3, 80)), rng.poisson(7, (3, 60))
    for got, values in zip(histogram_skewness(Histograms.from_values(c, t)), (c, t), strict=True):
        np.testing.assert_allclose(got, stats.skew(values, axis=1), rtol=1e-10)
    ones = np.repeat([0.0, 1.0], [97, 3])
    assert float(rate_skewness(0.03)) == pytest.approx(stats.skew(ones))
    assert rate_skewness([0, 1]).tolist() == [0.0, 0.0]
    assert [s.item() for s in histogram_skewness(Histograms.from_values([1.0, 1.0], [2.0]))] == [0.0, 0.0]


def test_the_rule_asks_for_thirty_units_at_least() -> None:
    # Kohavi and others' own example: skewness 17.9 asks for 114,000 units.
    r = skewness_rule([30, 113_000, 114_000], [0.1, 17.9, 17.9])
    assert r.adequate.tolist() == [True, False, True]
