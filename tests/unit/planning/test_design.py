"""Plans from given numbers against figures of the literature and of statsmodels."""

import datetime as dt

import numpy as np
import polars as pl
import pytest
from scipy.stats import multivariate_normal
from statsmodels.stats.power import normal_power, normal_sample_size_one_tail
from statsmodels.stats.proportion import power_proportions_2indep

from fairsplit.analysis.planning.baseline import Baseline, measured
from fairsplit.analysis.planning.design import analysed_by, design, detectable, power
from fairsplit.analysis.planning.false_ships import false_ships
from fairsplit.analysis.statistics.checks import InputError
from fairsplit.analysis.statistics.experiment_plan import Setup

RATE = Baseline("", binary=True, mean=0.10, variance=0.09)
MEAN = Baseline("", binary=False, mean=5.0, variance=400.0, forecast=(1000.0,) * 60, window_days=7.0)


def test_the_issues_figure() -> None:
    assert design(RATE, 0.20, Setup(power=0.8)).control == 3_841


@pytest.mark.parametrize("method", ["fixed", "group_sequential", "always_valid", "sprt", "bayesian"])
@pytest.mark.parametrize("baseline", [RATE, MEAN])
def test_the_planned_total_detects_the_planned_effect(baseline: Baseline, method: str) -> None:
    setup = Setup(method=method)
    planned = design(baseline, 0.1, setup)
    assert detectable(baseline, np.array([float(planned.total)]), setup) == pytest.approx([0.1], rel=1e-3)


def test_means_by_the_normal_formula() -> None:
    wanted = normal_sample_size_one_tail(0.5, 0.8, 0.025, std_null=20.0 * np.sqrt(2))
    assert design(MEAN, 0.1, Setup()).arm == np.ceil(wanted)


def test_a_covariate_saves_its_share_of_the_units() -> None:
    adjusted = Baseline("", binary=False, mean=5.0, variance=400.0, correlation=np.sqrt(0.5))
    assert design(adjusted, 0.1, Setup()).arm == pytest.approx(design(MEAN, 0.1, Setup()).arm / 2, abs=1)


def test_a_falling_rate_needs_as_many_units_as_its_complement_rising() -> None:
    falling = Baseline("", binary=True, mean=0.3, variance=0.21, direction="decrease")
    rising = Baseline("", binary=True, mean=0.7, variance=0.21)
    assert design(falling, 0.1, Setup()).control == design(rising, 0.03 / 0.7, Setup()).control
    total = np.array([8_000.0])
    assert detectable(falling, total, Setup()) * 0.3 == pytest.approx(
        detectable(rising, total, Setup()) * 0.7
    )


def test_days_wait_for_the_last_window() -> None:
    planned = design(MEAN, 0.1, Setup())
    assert planned.days == np.ceil(planned.total / 1000) + 7
    assert analysed_by(MEAN, [7, 8, 14]).tolist() == [0.0, 1000.0, 7000.0]


def test_power_of_means_and_of_rates() -> None:
    effects = np.array([0.02, 0.1])
    expected = [normal_power(5 * e / 20.0, 5_000 / 2, 0.05) for e in effects]
    assert power(MEAN, effects, 10_000.0, Setup()) == pytest.approx(expected, abs=1e-4)
    close = power_proportions_2indep(0.02, 0.10, 3_841, alternative="larger", alpha=0.025).power
    assert power(RATE, np.array([0.2]), 7_682.0, Setup())[0] == pytest.approx(close, abs=0.002)


def test_an_effect_may_be_a_fall() -> None:
    """Case plan-for-a-decrease: .05 down by 10 % with power .9, by Fleiss' formula; up it takes 41,813."""
    rate = Baseline("", binary=True, mean=0.05, variance=0.0475)
    down, up = (design(rate, effect, Setup(power=0.9)) for effect in (-0.1, 0.1))
    assert (down.control, up.control) == (38_030, 41_813)
    falling = Baseline("", binary=True, mean=0.05, variance=0.0475, direction="decrease")
    assert {design(falling, effect, Setup(power=0.9)).control for effect in (-0.1, 0.1)} == {38_030}
    assert detectable(rate, np.array([76_060.0]), Setup(power=0.9), up=False) == pytest.approx(
        [0.1], rel=1e-3
    )


@pytest.mark.parametrize("method", ["fixed", "group_sequential", "always_valid"])
def test_a_fall_of_a_mean_takes_what_a_rise_takes(method: str) -> None:
    """Case plan-for-a-decrease: for means the sign changes nothing, below zero neither."""
    below = Baseline("", binary=False, mean=-5.0, variance=400.0)
    setup = Setup(method=method)
    assert design(MEAN, -0.1, setup).control == design(MEAN, 0.1, setup).control
    assert design(below, 0.1, setup).control == design(MEAN, 0.1, setup).control


def test_at_a_mean_of_zero_an_amount_is_planned_for() -> None:
    """Case plan-for-a-decrease: 0.5 units of a metric at zero, by the normal formula, and no share of it."""
    zero = Baseline("", binary=False, mean=0.0, variance=400.0)
    wanted = normal_sample_size_one_tail(0.5, 0.8, 0.025, std_null=20.0 * np.sqrt(2))
    assert design(zero, -0.5, Setup(), absolute=True).arm == np.ceil(wanted)
    with pytest.raises(InputError, match="no relative effect can be planned"):
        design(zero, 0.1, Setup())
    assert design(RATE, 0.02, Setup(), absolute=True).control == design(RATE, 0.20, Setup()).control


@pytest.mark.parametrize("effect", [0.0, float("nan"), 12.0, -1.0])
def test_effects_that_cannot_be(effect: float) -> None:
    with pytest.raises(InputError):
        design(RATE, effect, Setup())


def test_a_baseline_comes_from_the_most_units_that_can_be_believed() -> None:
    def row(experiment: str, n: int, arm: str, **more: object) -> dict[str, object]:
        return {
            "experiment_id": experiment, "cut_off": dt.date(2026, 1, 9), "metric": "m", "segment": "all",
            "segment_level": "all", "analysis": "default", "status": "ok", "variant_id": arm, "comparison": None,
            "n": n, "mean": 2.0, "std_error": 0.1, "cuped": None, "variance_reduction": None,
        } | more  # fmt: skip

    comparisons = pl.DataFrame(
        [
            row("small", 50, "a"),
            row("large", 400, "a"),
            row("large", 400, "b", comparison="a", cuped=True, variance_reduction=0.36),
            row("false", 9_000, "a"),
        ],
        infer_schema_length=None,
    )
    exposures = pl.DataFrame(
        {
            "experiment_id": ["large"] * 3,
            "segment": ["all"] * 3,
            "segment_level": ["all"] * 3,
            "exposure_day": [dt.date(2026, 1, 5), dt.date(2026, 1, 5), dt.date(2026, 1, 7)],
            "units": [10, 20, 30],
        }
    )
    found = measured(
        comparisons, exposures, "m", kind="mean", direction="increase", window_days=1.0, leave_out={"false"}
    )
    assert found is not None
    assert (found.source, found.mean, found.units) == ("large", 2.0, 400)
    assert found.variance == pytest.approx(4.0)
    assert found.correlation == pytest.approx(0.6)
    assert found.forecast[:5] == (30.0, 0.0, 30.0, 20.0, 20.0)


def test_walds_test_is_planned_by_its_average() -> None:
    """Wald (1945), section 4: (1 - β) log((1 - β) / a) + β log(β / (1 - a)) over half the squared distance."""
    planned = design(MEAN, 0.1, Setup(method="sprt"))
    average = 0.8 * np.log(0.8 / 0.025) + 0.2 * np.log(0.2 / 0.975)
    assert planned.control == pytest.approx(average / (0.5 * 0.5**2 / 800), rel=1e-3)
    assert planned.total == planned.expected or abs(planned.total - planned.expected) <= 2


def test_a_bayesian_plan_read_once_is_a_one_sided_test() -> None:
    planned = design(MEAN, 0.1, Setup(method="bayesian", looks=1))
    assert planned.arm == pytest.approx(
        normal_sample_size_one_tail(0.5, 0.8, 0.05, std_null=20.0 * np.sqrt(2)), abs=1
    )
    assert design(MEAN, 0.1, Setup(method="bayesian", looks=14)).arm < planned.arm


def test_what_looks_cost_a_bayesian_plan_is_simulated() -> None:
    """Case bayes-many-arms: one look is wrong in 5 %, several in more; the best of many arms in fewer."""
    assert false_ships(Setup(method="bayesian", looks=1)) == pytest.approx(0.05, abs=0.03)
    # P(a Brownian motion is ever above 1.645 sigma at one of 14 looks), by multivariate normal probabilities: 0.175.
    t = np.arange(1, 15) / 14
    correlation = np.sqrt(np.minimum.outer(t, t) / np.maximum.outer(t, t))
    below = multivariate_normal(np.zeros(14), correlation, allow_singular=True, seed=1).cdf(
        np.full(14, 1.6448536)
    )
    assert false_ships(Setup(method="bayesian", looks=14)) == pytest.approx(1 - below, abs=0.04)
    assert false_ships(Setup(method="bayesian", looks=14, arms=4)) < 0.05
