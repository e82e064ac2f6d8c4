from __future__ import annotations

import numpy as np
import pytest

from fairsplit.analysis.statistics.checks import InputError
from fairsplit.analysis.statistics.group_sequential import (
    crossing_probabilities,
    equal_fractions,
    obrien_fleming_constant,
    pocock_constant,
)
from fairsplit.analysis.statistics.group_sequential_design import design_properties, futility_design
from fairsplit.analysis.statistics.spending import spending_function


@pytest.mark.parametrize(
    ("kind", "power", "expected"),
    [
        # Jennison and Turnbull (2000), tables 2.2 and 2.4: K = 2, 3, 4, 5, alpha = 0.05
        ("pocock", 0.8, [1.110, 1.166, 1.202, 1.229]),
        ("pocock", 0.9, [1.100, 1.151, 1.183, 1.207]),
        ("obf", 0.8, [1.008, 1.017, 1.024, 1.028]),
        ("obf", 0.9, [1.007, 1.016, 1.022, 1.026]),
    ],
)
def test_inflation_factors_of_jennison_and_turnbull(kind: str, power: float, expected: list[float]):
    looks = np.array([2, 3, 4, 5])
    fractions = equal_fractions(looks)
    shape = np.ones_like(fractions) if kind == "pocock" else 1 / np.sqrt(np.nan_to_num(fractions, nan=1.0))
    constant = pocock_constant(looks) if kind == "pocock" else obrien_fleming_constant(looks)
    r = design_properties(constant[:, None] * shape, fractions, power=power)
    np.testing.assert_allclose(r.inflation, expected, atol=6e-4)


def test_expected_sample_size_of_pocock_five_looks():
    # Jennison and Turnbull (2000), table 2.8: 68.5 % of the fixed sample at the alternative, power 0.9
    r = design_properties(np.full((1, 5), 2.4132), equal_fractions([5]), power=0.9)
    assert r.expected_alternative[0] == pytest.approx(0.685, abs=5e-4)


def test_gsdesign_default_design():
    # gsDesign(): k = 3, test.type = 4, alpha = 0.025, beta = 0.1, sfHSD(-4) and sfHSD(-2)
    r = futility_design(
        equal_fractions(3),
        0.025,
        0.1,
        efficacy=spending_function("hwang_shih_decani", -4),
        futility=spending_function("hwang_shih_decani", -2),
    )
    np.testing.assert_allclose(r.upper, [3.0107, 2.5465, 1.9992], atol=1e-4)
    np.testing.assert_allclose(r.lower, [-0.2387, 0.9411, 1.9992], atol=1e-4)
    np.testing.assert_allclose(r.information, [0.3566, 0.7133, 1.0699], atol=1e-4)


@pytest.mark.parametrize("binding", [False, True])
def test_errors_are_what_was_asked_for(binding: bool):
    fractions = np.array([[0.2, 0.5, 0.7, 1.0], [0.5, 1.0, np.nan, np.nan]])
    r = futility_design(fractions, [0.025, 0.05], [0.1, 0.2], binding=binding)
    power = crossing_probabilities(r.upper, r.lower, fractions, r.drift).upper.sum(axis=1)
    np.testing.assert_allclose(power, [0.9, 0.8], atol=1e-7)
    lower = r.lower if binding else np.full_like(r.lower, -np.inf)
    size = crossing_probabilities(r.upper, lower, fractions).upper.sum(axis=1)
    np.testing.assert_allclose(size, [0.025, 0.05], atol=1e-7)


def test_one_look_is_the_fixed_design():
    r = futility_design([[1.0]], 0.025, 0.1)
    np.testing.assert_allclose(r.information, [[1.0]], atol=1e-8)
    np.testing.assert_allclose(r.upper, r.lower)


def test_refuses():
    with pytest.raises(InputError):
        futility_design([0.5, 0.9])
    with pytest.raises(InputError):
        futility_design([1.0], 0.5, 0.5)
    with pytest.raises(InputError):
        design_properties([1.96], [1.0], power=0.02)
    with pytest.raises(InputError):
        pocock_constant(3, 1e-60)


def test_power_out_of_reach_is_no_number():
    r = design_properties([np.inf, np.inf], [0.5, 1.0])
    assert np.isnan(r.inflation)
