from __future__ import annotations

import numpy as np
import pytest
from statsmodels.stats.power import FTestAnovaPower, GofChisquarePower

from fairsplit.analysis.statistics.checks import InputError
from fairsplit.analysis.statistics.planning_tables import (
    power_anova,
    power_chi_square,
    sample_size_anova,
    sample_size_chi_square,
)


@pytest.mark.parametrize(("w", "n", "df"), [(0.1, 500, 1), (0.3, 40, 4), (0.02, 30_000, 9)])
def test_chi_square_equals_statsmodels(w: float, n: int, df: int):
    theirs = GofChisquarePower().power(w, n, 0.05, n_bins=df + 1)
    assert power_chi_square(w, n, df) == pytest.approx(theirs, rel=1e-9)
    assert sample_size_chi_square(w, df, float(theirs)) == pytest.approx(n, rel=1e-6)


@pytest.mark.parametrize(("f", "n", "k"), [(0.25, 180, 4), (0.1, 900, 3), (0.4, 30, 2)])
def test_anova_equals_statsmodels(f: float, n: int, k: int):
    theirs = FTestAnovaPower().power(f, n, 0.05, k_groups=k)
    assert power_anova(f, n, k) == pytest.approx(theirs, rel=1e-9)
    assert sample_size_anova(f, k, float(theirs)) == pytest.approx(n, rel=1e-6)


def test_example_of_r_pwr():
    # pwr.anova.test(f = 0.28, k = 4, power = 0.80): n = 35.75789 a group
    assert sample_size_anova(0.28, 4) / 4 == pytest.approx(35.75789, abs=1e-3)


def test_extremes():
    small = sample_size_anova(1e-4, 3)
    assert power_anova(1e-4, small, 3) == pytest.approx(0.8, rel=1e-6)
    assert sample_size_anova(50.0, 3) == pytest.approx(4.0)
    assert np.isnan(sample_size_chi_square(1e-9, 1))


def test_refuses():
    with pytest.raises(InputError):
        power_anova(0.1, 3, 3)
    with pytest.raises(InputError):
        power_anova(0.1, 30, 1)
    with pytest.raises(InputError):
        power_chi_square(0.1, 30, 0)
    with pytest.raises(InputError):
        sample_size_chi_square(0.1, 1, 0.05, 0.05)
