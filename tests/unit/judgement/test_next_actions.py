"""Next actions with expected gains (mission rows M33 and M57): figures by hand and by quadrature."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import numpy as np
import pytest
from scipy import integrate, stats

from fairsplit.analysis.judgement.gains import ArmEffects, improvement, learned

HORIZON = date(2026, 1, 25)  # 14 planned days and a window of 7
EARLY = date(2026, 1, 12)


def arm(world, variant: str, mean: float, *, n: int = 1_000, **place) -> None:
    """Units evenly at mean ± 1: variance n / (n - 1)."""
    world.values(variant, np.round(np.tile([mean - 1, mean + 1], n // 2) * 1_000_000), **place)


def offers(world, cut_off: date = HORIZON) -> dict[str, dict]:
    found = world.judge(cut_off).next_actions.to_dicts()
    assert [row["position"] for row in found] == list(range(1, len(found) + 1))
    return {row["action"]: row for row in found}


def test_m57_a_winner_gains_what_the_others_do_not_have_yet(world):
    world.define()
    arm(world, "control", 10)
    arm(world, "red", 10.5)
    found = offers(world)
    assert list(found) == ["stop"]
    # Half of the units have red already: shipping it gives the other half 0.5.
    stop = found["stop"]
    error = 0.5 * np.sqrt(2 * (1_000 / 999) / 1_000)
    reach = stats.norm.ppf(0.975) * error
    assert (stop["variant_id"], stop["metric"], stop["unit"]) == ("red", "revenue", "USD")
    assert [stop[name] for name in ("gain", "gain_low", "gain_high", "gain_rel")] == pytest.approx(
        [0.25, 0.25 - reach, 0.25 + reach, 0.025]
    )
    assert stop["chance"] == pytest.approx(stats.norm.cdf(0.25 / error))


def test_m33_a_loser_is_stopped_and_another_variant_is_named(world):
    world.define()
    arm(world, "control", 10)
    arm(world, "red", 9.5)
    found = offers(world)
    assert list(found) == ["stop", "modify_variant", "create_variant"]
    assert found["stop"]["gain"] == pytest.approx(0.25)
    assert found["modify_variant"]["variant_id"] == "red"
    # One experiment says nothing about how far effects reach.
    assert [found[name]["reason"] for name in ("modify_variant", "create_variant")] == ["few_effects"] * 2
    assert found["create_variant"]["gain"] is None


def test_m33_less_traffic_where_an_arm_leans_to_the_worse_and_nothing_may_be_concluded(world):
    world.define(traffic=0.8)
    arm(world, "control", 10, cut_off=EARLY)
    arm(world, "red", 9.93, cut_off=EARLY)
    found = offers(world, EARLY)
    assert list(found) == ["decrease_traffic"]
    less = found["decrease_traffic"]
    assert (less["variant_id"], less["traffic"]) == ("red", 0.4)
    # 0.4 fewer units, half of them red, which loses 0.07.
    assert less["gain"] == pytest.approx(0.4 * 0.5 * 0.07)
    assert less["sentence"] == (
        "Lower the traffic from 80.0% to 40.0%: red leans to the worse, and nothing may be concluded yet."
    )


def test_m33_more_traffic_where_information_is_missing(world):
    world.define(traffic=0.2, metrics="{primary: [{metric: revenue, minimum_effect: 0.01}]}")
    arm(world, "control", 10, cut_off=EARLY)
    arm(world, "red", 10.05, cut_off=EARLY)
    found = offers(world, EARLY)
    assert list(found) == ["increase_traffic"]
    more = found["increase_traffic"]
    assert more["traffic"] == 0.4
    # 8 days so far, 13 left; twice as many units a day in those.
    error = np.sqrt(2 * (1_000 / 999) / 1_000)
    assert more["gain"] == pytest.approx(
        later(0.05, error, 1 + 2 * 13 / 8) - later(0.05, error, 1 + 13 / 8), rel=1e-6
    )
    assert more["gain"] > 0
    assert more["gain_low"] is None


def later(effect: float, error: float, times: float) -> float:
    """E max(0, mean after) - max(0, mean now), by quadrature over where the mean may move."""
    move = error * np.sqrt(1 - 1 / times)
    value, _ = integrate.quad(
        lambda z: max(0.0, effect + move * z) * stats.norm.pdf(z), -12, 12, points=[-effect / move], limit=200
    )
    return value - max(0.0, effect)


def test_m33_an_unclear_end_may_be_extended_to_a_new_end(world):
    world.define(metrics="{primary: [{metric: revenue, minimum_effect: 0.01}]}")
    arm(world, "control", 10)
    arm(world, "red", 10.02)
    found = offers(world)
    assert "extend" in found
    extend = found["extend"]
    days = extend["days"]
    # The end is 19 January, and the decision would be read after 25 January.
    assert extend["end_at"] == datetime(2026, 1, 26) + timedelta(days=days)  # noqa: DTZ001
    assert extend["gain"] == pytest.approx(
        later(0.02, np.sqrt(2 * (1_000 / 999) / 1_000), 1 + days / 21), rel=1e-6
    )


def test_m33_nothing_is_advised_through_a_closed_gate(world):
    world.define()
    arm(world, "control", 10)
    arm(world, "red", 10.5)
    world.exposures({"control": 5_000, "red": 4_000})
    assert offers(world) == {}


def test_m57_effects_of_other_experiments_say_how_far_a_new_variant_may_reach(world):
    for name, effect in (("a", 0.3), ("b", -0.2), ("c", 0.5), ("cta", -0.5), ("split_wrong", 9.0)):
        world.define(name)
        arm(world, "control", 10, experiment=name)
        arm(world, "red", 10 + effect, experiment=name)
    # What its split makes invalid says nothing about others.
    world.exposures({"control": 5_000, "red": 4_000}, experiment="split_wrong")
    rows = world.judge(HORIZON).next_actions.to_dicts()
    new = next(row for row in rows if (row["experiment_id"], row["action"]) == ("cta", "create_variant"))
    # Equal errors: the mean is plain, and the spread of the effects is their variance less that of noise.
    effects, noise = np.array([0.3, -0.2, 0.5]), 2 * (1_000 / 999) / 1_000
    between = effects.var(ddof=1) - noise
    spread = np.sqrt(between + (between + noise) / 3)
    value, _ = integrate.quad(
        lambda x: max(0.0, x) * stats.norm.pdf(x, effects.mean(), spread), -3, 4, points=[0.0]
    )
    assert new["gain"] == pytest.approx(value, rel=1e-6)
    assert new["reason"] is None


def test_improvement_of_a_certain_value_is_its_lead():
    assert (improvement(2.0, 0.0, 0.5), improvement(-1.0, 0.0, 0.0)) == (1.5, 0.0)


def test_arms_share_the_variance_of_their_control():
    both = ArmEffects(("a", "b"), np.array([1.0, 2.0]), np.array([0.5, 0.5]), 0.3, 1.96, 10.0)
    gain, error = both.of({"a": 0.5, "b": -0.5})
    assert gain == -0.5
    # A quarter of both variances less twice the covariance, 0.3 squared.
    assert error == pytest.approx(np.sqrt(0.25 * 0.32))


def test_nothing_is_learned_from_no_more_units():
    one = ArmEffects(("a",), np.array([0.1]), np.array([0.2]), 0.1, 1.96, 1.0)
    assert learned(one, 1.0) == 0.0
