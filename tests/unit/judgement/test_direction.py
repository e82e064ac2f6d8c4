"""Which way is better comes from the difference, whatever the sign of the control."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fairsplit.analysis.judgement import violations
from fairsplit.analysis.judgement.effects import effect_of

HORIZON = date(2026, 1, 25)
THREE = "[{id: control, control: true}, {id: red}, {id: blue}]"


def arm(world, variant: str, mean: float, *, n: int = 1_000, spread: float = 1.0, **place) -> None:
    """An arm whose units lie evenly at mean ± spread: its mean and variance are known."""
    values = np.tile([mean - spread, mean + spread], n // 2)
    scale = world.metrics[place.get("metric", "revenue")].scale_y
    world.values(variant, np.round(values * scale), **place)


def judged(world, cut_off: date = HORIZON, **more):
    found = world.judge(cut_off, **more)
    assert violations(found.comparisons, found.validity, found.decisions).is_empty()
    return found


def decision(world, cut_off: date = HORIZON, **more) -> dict:
    return judged(world, cut_off, **more).decisions.row(0, named=True)


def row_of(found, variant: str, metric: str = "revenue") -> dict:
    rows = found.comparisons.filter(pl.col("variant_id") == variant, pl.col("metric") == metric)
    return rows.filter(pl.col("cut_off") == pl.col("cut_off").max()).row(0, named=True)


def test_the_best_arm_over_a_negative_control_is_the_one_with_the_largest_gain(world):
    """Case direction-negative-control: means −10.26, −5.27 and −1.05, as in neg_baseline_3arm.csv."""
    world.define(type="abn", variants=THREE)
    for variant, mean in (("control", -10.26), ("red", -5.27), ("blue", -1.05)):
        arm(world, variant, mean)
    found = judged(world)
    said = found.decisions.row(0, named=True)
    assert (said["action"], said["variant_id"]) == ("ship", "blue")
    assert said["sentence"].startswith("Ship blue: Revenue +89.8% (+")
    best = row_of(found, "blue")
    assert best["lift_rel"] == pytest.approx((10.26 - 1.05) / 10.26)
    assert best["lift_rel_low"] < best["lift_rel"] < best["lift_rel_high"]
    assert best["finding"] == row_of(found, "red")["finding"] == "better"


def test_a_deeper_loss_is_worse_for_a_metric_that_should_rise_and_better_for_one_that_should_fall(world):
    """Case direction-negative-control, the other sign and the other direction."""
    world.define("up")
    world.define("down", metrics="{primary: [errors]}")
    for name, metric in (("up", "revenue"), ("down", "errors")):
        arm(world, "control", -5, metric=metric, experiment=name)
        arm(world, "red", -6, metric=metric, experiment=name)
    found = judged(world)
    actions = dict(found.decisions.select("experiment_id", "action").iter_rows())
    assert actions == {"up": "roll_back", "down": "ship"}
    treated = found.comparisons.filter(pl.col("comparison").is_not_null())
    assert dict(treated.select("experiment_id", "finding").iter_rows()) == {"up": "worse", "down": "better"}
    assert treated["lift_rel"].to_list() == pytest.approx([-0.2, -0.2])


@pytest.mark.parametrize(
    ("red", "action", "finding"),
    [(-13, "roll_back", "harmed"), (-7, "ship", "within_margin"), (-10.5, "ship", "within_margin")],
)
def test_a_margin_of_a_negative_guardrail_is_a_share_of_its_size(world, red, action, finding):
    """Case margin-negative-guardrail: −10 → −13 is 30 % worse, three times the margin; −10 → −7 is a gain."""
    world.define(
        metrics="{primary: [conversion], guardrails: [{metric: revenue, non_inferiority_margin: 0.1}]}"
    )
    world.values("control", [1] * 200 + [0] * 800, metric="conversion")
    world.values("red", [1] * 400 + [0] * 600, metric="conversion")
    arm(world, "control", -10)
    arm(world, "red", red)
    found = judged(world)
    assert found.decisions["action"].to_list() == [action]
    assert row_of(found, "red")["finding"] == finding
    assert row_of(found, "red")["margin_abs"] == pytest.approx(1.0)


def test_a_margin_may_be_an_amount(world):
    """Case margin-negative-guardrail, with a control at zero, where a share means nothing."""
    world.define(
        metrics="{primary: [conversion], guardrails: [{metric: revenue, non_inferiority_margin: {absolute: 0.5}}]}"
    )
    world.values("control", [1] * 200 + [0] * 800, metric="conversion")
    world.values("red", [1] * 400 + [0] * 600, metric="conversion")
    arm(world, "control", 0)
    arm(world, "red", -0.3)
    found = judged(world)
    said = found.decisions.row(0, named=True)
    assert (said["action"], said["variant_id"]) == ("ship", "red")
    # Welch: −0.3 ± 1.961 × sqrt(2 / 999) = −0.388 to −0.212, inside −0.5.
    assert "it does worse, however, in Revenue −$0.300 (−$0.388 to −$0.212)" in said["sentence"]
    assert row_of(found, "red")["finding"] == "within_margin"


def test_a_control_at_zero_is_told_by_the_difference(world):
    """Case what-cannot-be-compared: a mean of zero has no relative lift, and the difference stands in its place."""
    world.define()
    arm(world, "control", 0)
    arm(world, "red", 1)
    found = judged(world)
    row = row_of(found, "red")
    assert (row["lift_rel"], row["lift_rel_low"], row["lift_rel_reason"]) == (None, None, "zero_baseline")
    assert found.decisions["sentence"][0] == "Ship red: Revenue +$1.000 (+$0.912 to +$1.088)."


def test_a_control_that_cannot_be_told_from_zero_has_no_relative_lift(world):
    """Case what-cannot-be-compared: 0.02 ± 0.06 as a base gave "+614.7% (unbounded to unbounded)"."""
    world.define()
    arm(world, "control", 0.02)
    arm(world, "red", 0.5)
    found = judged(world)
    row = row_of(found, "red")
    assert (row["lift_rel"], row["lift_rel_bounded"], row["lift_rel_reason"]) == (
        None,
        False,
        "baseline_near_zero",
    )
    assert (row["mde_rel"] is None) == (row["mde_abs"] is None) or row["mde_abs"] is not None
    assert "unbounded" not in found.decisions["sentence"][0]
    assert found.decisions["sentence"][0].startswith("Ship red: Revenue +$0.48")
    effect = effect_of(row, lasting=False)
    assert effect is not None
    assert (effect.relative, effect.value) == (False, pytest.approx(0.48))


def test_what_was_not_computed_is_never_no_difference(world):
    """Case what-cannot-be-compared: where nothing varies nothing can be judged."""
    world.define()
    arm(world, "control", 2, spread=0)
    arm(world, "red", 2, spread=0)
    said = decision(world)
    assert (said["decision"], said["action"], said["reasons"]) == (
        "inconclusive",
        "investigate",
        ["cannot_be_judged"],
    )
    assert said["sentence"] == "No verdict: Revenue cannot be judged (zero variance)."


def test_a_test_of_distributions_is_told_by_its_distance(world):
    """Case ks-exact-middle-sizes, the sentence: Kolmogorov-Smirnov has no lift, and says D."""
    world.define(metrics="{primary: [revenue_ks]}")
    world.histogram("control", np.arange(100), "revenue_ks")
    world.histogram("red", np.arange(100) + 50, "revenue_ks")
    histograms = pl.DataFrame(world.histograms)
    said = judged(world, value_histograms=histograms)
    # Of 100 values each, 50 of the control lie below every one of the treatment's.
    assert said.decisions["sentence"][0].startswith(
        "Ship red: Revenue ks mostly higher, distributions D = 0.5 apart, p = "
    )
    assert row_of(said, "red", "revenue_ks")["lift_rel_reason"] == "no_relative_form"


def test_the_harm_of_one_arm_does_not_hide_the_winner(world):
    """Case winner-beside-a-harmful-arm: b ships on the last day and c is disabled besides."""
    world.define(
        type="abn",
        variants=THREE,
        metrics="{primary: [revenue], guardrails: [errors]}",
        stopping="{automatic: true}",
    )
    for variant, revenue, errors in (("control", 10, 10), ("red", 12, 10), ("blue", 10, 12)):
        arm(world, variant, revenue)
        arm(world, variant, errors, metric="errors")
    said = decision(world)
    assert (said["decision"], said["action"], said["variant_id"]) == ("stop", "ship", "red")
    assert said["also_disable"] == ["blue"]
    assert said["reasons"] == ["primary_improved", "guardrail_harmed"]
    assert said["sentence"].startswith("Ship red: Revenue +20.0% (+")
    assert " Disable blue: it harms Errors +20.0% (+" in said["sentence"]


def test_before_the_last_day_the_harmful_arm_is_disabled_and_afterwards_no_more_is_said_of_it(world):
    """Case winner-beside-a-harmful-arm: what is disabled does not stand in the way of what is still open."""
    day = date(2026, 1, 14)
    phases = (
        "[{start: 2026-01-05, weights: {control: 0.4, red: 0.3, blue: 0.3}},"
        " {start: 2026-01-10, weights: {control: 0.5, red: 0.5, blue: 0}}]"
    )
    for name, extra in (("open", {}), ("disabled", {"phases": phases})):
        world.define(
            name, type="abn", variants=THREE, metrics="{primary: [revenue], guardrails: [errors]}", **extra
        )
        for variant, errors in (("control", 10), ("red", 10), ("blue", 12)):
            arm(world, variant, 10, experiment=name, cut_off=day)
            arm(world, variant, errors, metric="errors", experiment=name, cut_off=day)
    rows = {row["experiment_id"]: row for row in judged(world, day).decisions.iter_rows(named=True)}
    assert (rows["open"]["action"], rows["open"]["variant_id"]) == ("disable_arm", "blue")
    assert (rows["disabled"]["action"], rows["disabled"]["reasons"]) == ("wait", ["collecting"])


def test_several_harmful_arms_are_all_named(world):
    """Case winner-beside-a-harmful-arm: harm of one arm does not hide that of another either."""
    world.define(type="abn", variants=THREE, metrics="{primary: [revenue], guardrails: [errors]}")
    for variant, errors in (("control", 10), ("red", 12), ("blue", 13)):
        arm(world, variant, 10)
        arm(world, variant, errors, metric="errors")
    said = decision(world)
    assert (said["decision"], said["action"], said["reasons"]) == ("stop", "roll_back", ["guardrail_harmed"])
    assert "red harms Errors +20.0%" in said["sentence"]
    assert "blue harms Errors +30.0%" in said["sentence"]


def test_a_secondary_metric_that_is_worse_is_told_beside_the_verdict(world):
    """Case secondary-harm-unsaid: a sale that wins may lose its margin."""
    world.define(metrics="{primary: [conversion], secondary: [revenue]}")
    world.values("control", [1] * 154 + [0] * 1346, metric="conversion")
    world.values("red", [1] * 274 + [0] * 1226, metric="conversion")
    arm(world, "control", 2.06, n=1500)
    arm(world, "red", 0.70, n=1500)
    said = decision(world)
    assert (said["action"], said["variant_id"]) == ("ship", "red")
    assert said["sentence"].startswith("Ship red: Conversion +77.9% (+")
    assert "; it does worse, however, in Revenue −66.0% (−" in said["sentence"]


def test_a_declared_end_beats_the_default_duration(world):
    """Case declared-end-after-default-duration: 49 days are declared, the project's default is 28."""
    early, end = date(2026, 2, 2), date(2026, 2, 22)
    world.define(end="2026-02-23", metrics="{primary: [ctr]}")
    for day in (early, end):
        for variant, sums in (("control", 98), ("red", 129)):
            world.values(variant, [1] * sums + [0] * (490 - sums), metric="ctr", d=[1] * 490, cut_off=day)
    assert decision(world, early)["reasons"] == ["collecting"]
    assert "day 29 of 56" in decision(world, early)["sentence"]  # 49 days and the window of 7
    late = date(2026, 3, 1)
    for variant, sums in (("control", 98), ("red", 129)):
        world.values(variant, [1] * sums + [0] * (490 - sums), metric="ctr", d=[1] * 490, cut_off=late)
    assert decision(world, late)["action"] == "ship"


def test_an_effect_below_an_absolute_minimum_ends_the_experiment(world):
    """Case what-cannot-be-compared: at a control of zero only an amount can be too small."""
    world.define(metrics="{primary: [{metric: revenue, minimum_effect: {absolute: 0.5}}]}")
    arm(world, "control", 0)
    arm(world, "red", 0.05)
    found = judged(world)
    said = found.decisions.row(0, named=True)
    assert said["reasons"] == ["effect_below_minimum"]
    assert "smaller than the +$0.500 worth finding" in said["sentence"]
    row = row_of(found, "red")
    assert (row["minimum_abs"], row["shown_as"]) == (0.5, "absolute")
    assert row["power"] == pytest.approx(1.0, abs=1e-6)


MEANS = st.integers(-400, 400).map(lambda value: value / 20)
PLANS = st.sampled_from(["fixed", "group_sequential", "always_valid", "bayesian"])


def _verdict(world, means: list[float], metric: str, plan: str) -> tuple:
    """Decision and findings of one primary metric with an absolute minimum and a guardrail of the same values."""
    size = "{absolute: 0.3}"
    world.statistics.clear()
    world.define(
        type="abn",
        variants=THREE,
        metrics=f"{{primary: [{{metric: {metric}, minimum_effect: {size}}}]}}",
        plan=f"{{method: {plan}}}",
    )
    for variant, mean in zip(("control", "red", "blue"), means, strict=True):
        arm(world, variant, mean, metric=metric, n=200)
    found = judged(world)
    said = found.decisions.row(0, named=True)
    treated = found.comparisons.filter(pl.col("comparison").is_not_null())
    kept = tuple(said[name] for name in ("decision", "action", "variant_id", "reasons", "also_disable"))
    return *kept, treated["finding"].to_list(), treated["below_minimum"].to_list()


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(means=st.lists(MEANS, min_size=3, max_size=3), plan=PLANS)
def test_negated_values_of_a_metric_that_should_fall_give_the_mirrored_decision(world, means, plan):
    """Case direction-negative-control: −x of "less is better" is judged as x of "more is better"."""
    mirrored = [-mean for mean in means]
    assert _verdict(world, means, "revenue", plan) == _verdict(world, mirrored, "losses", plan)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(means=st.lists(MEANS, min_size=3, max_size=3), plan=PLANS, shift=st.integers(-30, 30))
def test_a_shift_of_all_values_changes_no_verdict(world, means, plan, shift):
    """Case direction-negative-control: zero is no special place where the minimum effect is an amount."""
    moved = [mean + shift for mean in means]
    assert _verdict(world, means, "revenue", plan) == _verdict(world, moved, "revenue", plan)


def test_a_percentile_among_ties_is_not_told_as_equal_values(world):
    """Case what-cannot-be-compared, ties.csv: medians 1 and 0 of the values 0, 1 and 2 cannot be judged."""
    world.define(metrics="{primary: [revenue_p90]}")
    world.histogram("control", [0] * 100 + [1] * 850 + [2] * 50, "revenue_p90")
    world.histogram("red", [0] * 950 + [1] * 30 + [2] * 20, "revenue_p90")
    found = judged(world, value_histograms=pl.DataFrame(world.histograms))
    row = row_of(found, "red", "revenue_p90")
    assert (row["status"], row["reason"], row["mean"]) == ("undefined", "ties_at_quantile", 0.0)
    assert found.decisions["sentence"][0] == "No verdict: Revenue p90 cannot be judged (ties at quantile)."


def test_a_guardrail_is_told_to_be_worse_by_the_interval_that_is_quoted(world):
    """An ordinary p below alpha beside a band that holds at every look and holds 0 says nothing."""
    world.define(metrics="{primary: [conversion], guardrails: [revenue]}")
    for number in range(1, 22):
        day, n = HORIZON - timedelta(days=21 - number), 72 * number
        for variant, buyers, mean in (("control", 7, 2.06), ("red", 13, 1.987)):
            bought = [1] * buyers * number
            world.values(variant, bought + [0] * (n - len(bought)), metric="conversion", cut_off=day)
            arm(world, variant, mean, n=n, cut_off=day)
    guarded = row_of(judged(world), "red")
    assert guarded["p_value"] < 0.05
    assert guarded["seq_low"] < 0 < guarded["seq_high"]
    sentence = decision(world)["sentence"]
    assert "does worse" not in sentence
    assert sentence.endswith(", and no guardrail is harmed.")
