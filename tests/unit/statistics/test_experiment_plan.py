from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from fairsplit.analysis.statistics.checks import InputError
from fairsplit.analysis.statistics.experiment_plan import (
    METHODS,
    Setup,
    detectable_difference,
    detectable_increase,
    plan_means,
    plan_proportions,
)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("sides", "arms", "ratio"), [(2, 1, 1.0), (1, 1, 0.5), (2, 3, 0.7)])
def test_units_and_detectable_effects_are_inverse(method: str, sides: int, arms: int, ratio: float):
    setup = Setup(method=method, sides=sides, arms=arms, ratio=ratio, clusters=1.5, looks=5)
    units = plan_means([0.05, 2.0], 1.3, 0.9, setup=setup, correlation=0.4)
    total = units.expected_effect if method == "sprt" else units.total
    found = detectable_difference(total, 1.3, 0.9, setup=setup, correlation=0.4)
    np.testing.assert_allclose(found, [0.05, 2.0], rtol=1e-9)
    rates = plan_proportions(0.1, [0.11, 0.3], setup=setup)
    total = rates.expected_effect if method == "sprt" else rates.total
    np.testing.assert_allclose(detectable_increase(0.1, total, setup=setup), [0.01, 0.2], rtol=1e-7)


def test_one_look_is_the_textbook():
    z = stats.norm.isf(0.025) + stats.norm.ppf(0.8)
    units = plan_means(0.1, 1.0, setup=Setup())
    assert units.total == pytest.approx(4 * (z / 0.1) ** 2)
    assert units.total == units.expected_null == units.expected_effect


def test_price_of_what_is_asked():
    plain = plan_means(0.1, 1.0, setup=Setup())
    looks = plan_means(0.1, 1.0, setup=Setup(method="group_sequential"))
    always = plan_means(0.1, 1.0, setup=Setup(method="always_valid"))
    arms = plan_means(0.1, 1.0, setup=Setup(arms=3))
    clusters = plan_means(0.1, 1.0, setup=Setup(clusters=2.0))
    assert plain.total < looks.total < always.total
    assert looks.expected_effect < plain.total
    assert arms.control > plain.control
    assert clusters.total == pytest.approx(2 * plain.total)
    assert plan_means(0.1, 1.0, setup=Setup(), correlation=0.6).total == pytest.approx(0.64 * plain.total)
    assert np.isinf(plan_means(0.1, 1.0, setup=Setup(method="sprt")).total)


@pytest.mark.parametrize(
    "wrong",
    [
        {"alpha": 0.0},
        {"power": 0.04},
        {"sides": 3},
        {"method": "guess"},
        {"method": "bayesian", "winner_probability": 1.0},
        {"looks": 1.5},
        {"ratio": 0.0},
        {"clusters": 0.5},
    ],
)
def test_refuses(wrong: dict[str, float | str]):
    with pytest.raises(InputError):
        Setup(**wrong)
