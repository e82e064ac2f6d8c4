from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from fairsplit.analysis.statistics.checks import InputError
from fairsplit.analysis.statistics.group_sequential import lan_demets_bounds
from fairsplit.analysis.statistics.group_sequential_inference import (
    final_inference,
    repeated_intervals,
    repeated_p_values,
)
from fairsplit.analysis.statistics.spending import spending_function
from fairsplit.analysis.statistics.status import names


def test_one_look_is_the_ordinary_inference():
    for sides in (1, 2):
        r = final_inference([2.5, -0.3], [[4.0], [4.0]], [[1.96]] * 2, [[-1.96]] * 2, sides=sides)
        np.testing.assert_allclose(r.estimate, [1.25, -0.15], atol=1e-9)
        np.testing.assert_allclose(r.low, r.naive - stats.norm.isf(0.05 / sides) / 2, atol=1e-9)
        z = np.array([2.5, -0.3])
        expected = 2 * stats.norm.sf(np.abs(z)) if sides == 2 else stats.norm.sf(z)
        np.testing.assert_allclose(r.p_value, expected, rtol=1e-9)


def test_stopping_at_the_first_look_changes_the_interval_not_its_p_value():
    r = final_inference([3.1], [[0.5, np.nan]], [[2.963, np.nan]], [[-2.963, np.nan]])
    assert r.p_value[0] == pytest.approx(2 * stats.norm.sf(3.1), rel=1e-9)
    assert r.estimate[0] == pytest.approx(3.1 / np.sqrt(0.5), rel=1e-9)


def test_stopping_early_shrinks_what_stops_late():
    bounds = lan_demets_bounds([0.5, 1.0])
    r = final_inference([2.2], [[0.5, 1.0]], bounds.upper[None], bounds.lower[None])
    assert 0 < r.estimate[0] < r.naive[0]
    assert r.low[0] < r.estimate[0] < r.high[0]
    # significant by the bound (1.969), hence by the stagewise p-value and interval
    assert r.p_value[0] < 0.05
    assert r.low[0] > 0


def test_stagewise_p_value_at_the_bound_is_the_error_spent():
    t = [0.3, 0.6, 1.0]
    bounds = lan_demets_bounds(t, 0.05)
    for k in range(3):
        info = np.where(np.arange(3) <= k, t, np.nan)[None]
        r = final_inference([bounds.upper[k]], info, bounds.upper[None], bounds.lower[None])
        assert r.p_value[0] == pytest.approx(2 * bounds.cumulative_alpha[k], rel=1e-6)


@pytest.mark.parametrize("family", ["obrien_fleming", "pocock"])
@pytest.mark.parametrize("sides", [1, 2])
def test_repeated_p_value_is_alpha_at_the_bound_for_alpha(family: str, sides: int):
    spend = spending_function(family)
    fractions = np.array([[0.2, 0.5, 0.8], [0.4, 1.0, np.nan]])
    for alpha in (0.3, 0.05, 0.01, 1e-6):
        bounds = lan_demets_bounds(fractions, alpha, sides=sides, spending=spend).upper
        z = np.array([bounds[0, 2], bounds[1, 1]])
        p = repeated_p_values(z, fractions, sides=sides, spending=spend)
        np.testing.assert_allclose(p, alpha, rtol=1e-3)


def test_intervals_and_p_values_agree_and_share_designs():
    rng = np.random.default_rng(12)
    fractions = np.array([[0.1, 0.2, 0.35], [0.5, 0.9, np.nan]])
    design = rng.integers(0, 2, 400)
    z = rng.normal(0, 4, 400)
    r = repeated_intervals(z * 0.1, 0.1, fractions, design)
    p = repeated_p_values(z, fractions, design)
    np.testing.assert_array_equal(p <= 0.05, (r.low > 0) | (r.high < 0))
    order = np.argsort(np.abs(z))
    for d in (0, 1):
        mine = p[order][design[order] == d]
        assert np.all(np.diff(mine) <= 1e-12)


def test_far_tails_stay_ordered():
    p = repeated_p_values([8.0, 12.0, 30.0], [[0.5, 1.0]] * 3)
    assert p[0] > p[1] > p[2] > 0
    assert p[0] == pytest.approx(2 * stats.norm.sf(8.0), rel=0.05)


def test_uncomputable_is_typed():
    r = repeated_intervals([1.0, 1.0], [0.0, 1.0], [[0.5], [0.0]])
    assert names(r.status).tolist() == ["zero_variance", "no_exposure"]
    assert np.isnan(repeated_p_values([1.0], [[0.0]])[0])
    f = final_inference([1.0], [[0.0]], [[1.96]], [[-1.96]])
    assert names(f.status).tolist() == ["no_exposure"]


def test_refuses():
    with pytest.raises(InputError):
        repeated_intervals([1.0], 1.0, [[0.5], [0.6]])
    with pytest.raises(InputError):
        repeated_p_values([1.0], [[0.5]], [1])
    with pytest.raises(InputError):
        final_inference([1.0, 2.0], [[0.5]], [[1.0]], [[-1.0]])
