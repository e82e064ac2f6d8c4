from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from fairsplit.analysis.statistics import recursive_integration
from fairsplit.analysis.statistics.checks import InputError
from fairsplit.analysis.statistics.group_sequential import (
    crossing_probabilities,
    lan_demets_bounds,
    obrien_fleming_bounds,
    obrien_fleming_constant,
    pocock_constant,
)
from fairsplit.analysis.statistics.padded import as_padded
from fairsplit.analysis.statistics.spending import custom_spending, spending_function
from fairsplit.analysis.statistics.status import names

FIFTHS = [0.2, 0.4, 0.6, 0.8, 1.0]


@pytest.mark.parametrize(
    ("alpha", "expected"),
    [
        (0.01, [2.772, 2.873, 2.939, 2.986]),
        (0.05, [2.178, 2.289, 2.361, 2.413]),
        (0.1, [1.875, 1.992, 2.067, 2.122]),
    ],
)
def test_pocock_constants_of_jennison_and_turnbull_table_2_1(alpha: float, expected: list[float]):
    np.testing.assert_allclose(pocock_constant([2, 3, 4, 5], alpha), expected, atol=6e-4)


@pytest.mark.parametrize(
    ("alpha", "expected"),
    [
        (0.01, [2.580, 2.595, 2.609, 2.621]),
        (0.05, [1.977, 2.004, 2.024, 2.040]),
        (0.1, [1.678, 1.710, 1.733, 1.751]),
    ],
)
def test_obrien_fleming_constants_of_jennison_and_turnbull_table_2_3(alpha: float, expected: list[float]):
    np.testing.assert_allclose(obrien_fleming_constant([2, 3, 4, 5], alpha), expected, atol=6e-4)


def test_obrien_fleming_bounds_of_five_looks():
    np.testing.assert_allclose(obrien_fleming_bounds(5), [4.562, 3.226, 2.634, 2.281, 2.040], atol=1e-3)


@pytest.mark.parametrize(
    ("family", "parameter", "expected"),
    [
        ("obrien_fleming", None, [4.877, 3.357, 2.680, 2.290, 2.031]),
        ("pocock", None, [2.438, 2.427, 2.410, 2.397, 2.386]),
    ],
)
def test_published_spending_bounds(family: str, parameter: float | None, expected: list[float]):
    bounds = lan_demets_bounds(FIFTHS, spending=spending_function(family, parameter))
    np.testing.assert_allclose(bounds.upper, expected, atol=6e-4)
    np.testing.assert_array_equal(bounds.lower, -bounds.upper)


def test_hwang_shih_decani_bounds_of_gsdesign_default():
    # gsDesign(): k = 3, alpha = 0.025 one-sided, sfHSD(-4)
    bounds = lan_demets_bounds(
        [1 / 3, 2 / 3, 1], 0.025, sides=1, spending=spending_function("hwang_shih_decani", -4)
    )
    np.testing.assert_allclose(bounds.upper, [3.0107, 2.5465, 1.9992], atol=1e-4)


def test_hwang_shih_decani_zero_is_the_straight_line():
    line = custom_spending([1.0], [1.0])
    np.testing.assert_allclose(
        lan_demets_bounds(FIFTHS, spending=spending_function("hwang_shih_decani", 0)).upper,
        lan_demets_bounds(FIFTHS, spending=line).upper,
        rtol=1e-12,
    )


def test_two_looks_equal_the_bivariate_normal():
    bounds = lan_demets_bounds([0.37, 1.0], 0.05)
    rho = np.sqrt(0.37)
    inside = stats.multivariate_normal([0, 0], [[1, rho], [rho, 1]], abseps=1e-12, releps=1e-12)
    u = bounds.upper
    stay = inside.cdf(u, lower_limit=-u)
    assert 1 - stay == pytest.approx(0.05, abs=1e-9)


@pytest.mark.parametrize("sides", [1, 2])
@pytest.mark.parametrize("looks", [1, 3, 12, 40])
def test_spent_error_is_what_was_allowed(sides: int, looks: int):
    rng = np.random.default_rng(looks)
    t = np.cumsum(rng.uniform(0.2, 1.8, (40, looks)), axis=1)
    t /= t[:, -1:]
    bounds = lan_demets_bounds(t, 0.05, sides=sides)
    crossed = crossing_probabilities(bounds.upper, bounds.lower, t)
    np.testing.assert_allclose(np.cumsum(crossed.upper, axis=1), bounds.cumulative_alpha, atol=1e-6)
    np.testing.assert_allclose(bounds.cumulative_alpha[:, -1], 0.05 / sides, rtol=1e-12)


def test_designs_of_different_length_do_not_touch_each_other():
    short = [0.5, 1.0, np.nan, np.nan, np.nan]
    together = lan_demets_bounds([FIFTHS, short], [0.05, 0.01])
    np.testing.assert_allclose(together.upper[0], lan_demets_bounds(FIFTHS).upper, atol=1e-7)
    np.testing.assert_allclose(together.upper[1, :2], lan_demets_bounds(short[:2], 0.01).upper, atol=1e-7)
    assert np.isnan(together.upper[1, 2:]).all()


def test_a_look_without_new_information_spends_nothing():
    plain = lan_demets_bounds([0.5, 1.0])
    stalled = lan_demets_bounds([0.0, 0.5, 0.5, 0.5001, 0.4, 1.0])
    assert np.isinf(stalled.upper[[0, 2, 3, 4]]).all()
    np.testing.assert_allclose(stalled.upper[[1, 5]], plain.upper, rtol=1e-6)


def test_overrun_spends_the_rest_with_the_correlation_it_has():
    t = np.array([0.5, 1.3])
    bounds = lan_demets_bounds(t)
    crossed = crossing_probabilities(bounds.upper, bounds.lower, t)
    assert crossed.upper.sum() == pytest.approx(0.025, abs=1e-9)


def test_no_information_at_all_is_typed():
    bounds = lan_demets_bounds([[0.0, 0.0], [0.5, 1.0]])
    assert names(bounds.status).tolist() == ["no_exposure", "ok"]
    assert np.isinf(bounds.upper[0]).all()


def test_power_of_one_look_is_the_normal_one():
    drift = np.array([0.0, 1.0, 3.0])
    crossed = crossing_probabilities([1.96], [-np.inf], [1.0], drift)
    np.testing.assert_allclose(crossed.upper[..., 0], stats.norm.sf(1.96 - drift), rtol=1e-12)


@pytest.mark.parametrize(
    ("fractions", "keywords", "code"),
    [
        ([0.5, -1.0], {}, "negative"),
        ([np.nan, 1.0], {}, "not_finite"),
        ([np.inf], {}, "not_finite"),
        (0.5, {}, "shape_mismatch"),
        ([True], {}, "not_a_number"),
        ([1.0], {"alpha": 0.0}, "out_of_range"),
        ([1.0], {"sides": 3}, "unknown_choice"),
    ],
)
def test_refuses(fractions: object, keywords: dict[str, float], code: str):
    with pytest.raises(InputError) as caught:
        lan_demets_bounds(fractions, **keywords)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("name", "parameter", "code"),
    [
        ("triangular", None, "unknown_choice"),
        ("pocock", 1.0, "out_of_range"),
        ("power", None, "out_of_range"),
        ("power", 0.0, "out_of_range"),
    ],
)
def test_refuses_spending(name: str, parameter: float | None, code: str):
    with pytest.raises(InputError) as caught:
        spending_function(name, parameter)
    assert caught.value.code == code


@pytest.mark.parametrize("points", [([0.5], [1.0]), ([0.5, 1.0], [0.7, 0.6]), ([1.0], [0.5, 1.0]), ([], [])])
def test_refuses_custom_spending(points: tuple[list[float], list[float]]):
    with pytest.raises(InputError):
        custom_spending(*points)


@pytest.mark.parametrize("bad", ["text", [[1.0], [1.0, 2.0]], [True, 1.0], [1j]])
def test_padded_numbers_refuse_what_is_no_number(bad: object):
    with pytest.raises(InputError):
        as_padded(bad, "upper")


@pytest.mark.parametrize("looks", [5, 28, 60])
def test_more_nodes_change_nothing(looks: int, monkeypatch: pytest.MonkeyPatch):
    rng = np.random.default_rng(looks)
    t = np.cumsum(rng.exponential(1, (20, looks)) + 0.05, axis=1)
    t /= t[:, -1:]
    usual = lan_demets_bounds(t).upper
    monkeypatch.setattr(recursive_integration, "NODES_PER_DEVIATION", 4.0)
    more = lan_demets_bounds(t).upper
    finite = np.isfinite(more)
    np.testing.assert_allclose(usual[finite], more[finite], atol=1e-6)


def test_a_design_has_the_same_bits_alone_and_among_others():
    rng = np.random.default_rng(13)
    t = np.cumsum(rng.uniform(0.2, 1.8, (50, 9)), axis=1)
    t /= t[:, -1:]
    together = lan_demets_bounds(np.repeat(t, 2, axis=0)).upper
    for row in (0, 17, 49):
        alone = lan_demets_bounds(t[row]).upper
        np.testing.assert_array_equal(together[2 * row], alone)
        np.testing.assert_array_equal(together[2 * row + 1], alone)


@pytest.mark.parametrize("sides", [1, 2])
def test_a_bound_keeps_its_bits_when_closer_looks_follow(sides: int):
    rng = np.random.default_rng(14)
    steps = rng.exponential(1, (40, 12)) * np.array([1.0] * 6 + [0.05] * 6)
    t = np.cumsum(steps + 0.003, axis=1)
    t /= t[:, -1:]
    whole = lan_demets_bounds(t, sides=sides).upper
    for looks in (1, 3, 6, 9):
        np.testing.assert_array_equal(lan_demets_bounds(t[:, :looks], sides=sides).upper, whole[:, :looks])


def test_no_designs():
    assert lan_demets_bounds(np.zeros((0, 5))).upper.shape == (0, 5)
