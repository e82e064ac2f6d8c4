from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from fairsplit.analysis.statistics.checks import InputError
from fairsplit.analysis.statistics.multiplicity import adjust_p_values

STATSMODELS = {
    "bonferroni": "bonferroni",
    "holm": "holm",
    "hochberg": "simes-hochberg",
    "bh": "fdr_bh",
    "by": "fdr_by",
}


@pytest.mark.parametrize("method", STATSMODELS)
def test_equals_statsmodels_family_by_family(method: str):
    rng = np.random.default_rng(1)
    family = rng.integers(0, 30, 400) * 7 - 50
    p = rng.uniform(0, 1, 400) ** 3
    p[rng.uniform(size=400) < 0.1] = 0.0123
    ours = adjust_p_values(p, family, method=method).p_adjusted
    for one in np.unique(family):
        inside = family == one
        theirs = multipletests(p[inside], method=STATSMODELS[method])[1]
        np.testing.assert_allclose(ours[inside], theirs, rtol=1e-13)


@pytest.mark.parametrize("method", STATSMODELS)
def test_interval_level_agrees_with_the_decision(method: str):
    rng = np.random.default_rng(2)
    family = np.repeat(np.arange(300), 7)
    p = np.where(
        rng.uniform(size=family.size) < 0.5, rng.uniform(0, 0.03, family.size), rng.uniform(size=family.size)
    )
    r = adjust_p_values(p, family, method=method)
    assert 0 < r.rejected.sum() < r.rejected.size
    np.testing.assert_array_equal(p <= r.interval_alpha, r.rejected)


def test_bonferroni_intervals_cover_together():
    rng = np.random.default_rng(3)
    z = rng.normal(size=(4000, 5))
    p = 2 * stats.norm.sf(np.abs(z))
    r = adjust_p_values(p.ravel(), np.repeat(np.arange(4000), 5), method="bonferroni")
    half = stats.norm.isf(r.interval_alpha.reshape(z.shape) / 2)
    misses = (np.abs(z) > half).any(axis=1).sum()
    assert misses <= stats.binom.isf(1e-6, 4000, 0.05)


def test_missing_p_values_are_in_no_family():
    r = adjust_p_values([0.01, float("nan"), 0.02], method="bonferroni")
    np.testing.assert_array_equal(r.p_adjusted, [0.02, np.nan, 0.04])
    np.testing.assert_array_equal(r.family_size, [2, 0, 2])
    assert not r.rejected[1]


def test_nothing_to_adjust():
    assert adjust_p_values(np.array([np.nan])).p_adjusted.shape == (1,)
    assert adjust_p_values(np.zeros(0), np.zeros(0, dtype=int)).p_adjusted.shape == (0,)


@pytest.mark.parametrize(
    ("p", "family", "code"),
    [
        ([0.1, 1.2], None, "out_of_range"),
        ([True, False], None, "not_a_number"),
        (["0.1"], None, "not_a_number"),
        ([0.1], [0.5], "not_whole"),
        ([0.1, 0.2], [1], "shape_mismatch"),
    ],
)
def test_refuses(p: list[object], family: list[object] | None, code: str):
    with pytest.raises(InputError) as caught:
        adjust_p_values(p, family)
    assert caught.value.code == code
