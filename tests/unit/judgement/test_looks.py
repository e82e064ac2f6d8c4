"""Plans that look repeatedly: how their information is planned, where they end, and what holds on every day."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from scipy import stats

from fairsplit.analysis.judgement import Facts, judge_cut_offs, violations
from fairsplit.analysis.statistics.group_sequential import crossing_probabilities, lan_demets_bounds

START = date(2026, 1, 5)


def arm(world, variant: str, mean: float, day: int, *, n: int = 1_000, spread: float = 1.0, **place) -> None:
    """An arm whose units lie evenly at mean ± spread, at the end of a day of the experiment."""
    values = np.tile([mean - spread, mean + spread], n // 2)
    scale = 1_000_000 if place.get("metric", "revenue") == "revenue" else 1
    world.values(variant, np.round(values * scale), cut_off=START + timedelta(days=day - 1), **place)


def judged(world, *days: int):
    done = judge_cut_offs(
        Facts(sufficient_statistics=world.statistics_frame(), daily_exposures=world.daily_frame()),
        world.catalogue,
        world.metrics,
        [START + timedelta(days=day - 1) for day in days],
    )
    assert violations(done.comparisons, done.validity, done.decisions).is_empty()
    return done


def line(done, variant: str = "red", metric: str = "revenue") -> list[dict]:
    rows = done.comparisons.filter((pl.col("variant_id") == variant) & (pl.col("metric") == metric))
    return rows.sort("cut_off").to_dicts()


#: Two arms of 1,000 at 10 ± 1: the relative standard error is 0.1 √(2 · 1,000 / 999 / 1,000), and information is that
#: of the minimum effect over 1.95996 + 0.84162.
ERROR = 0.1 * np.sqrt(2 / 999)
DRIFT = stats.norm.isf(0.025) + stats.norm.ppf(0.8)


def for_information(share: float) -> str:
    minimum = np.sqrt(share) * DRIFT * ERROR
    return f"{{primary: [{{metric: revenue, minimum_effect: {minimum:.8f}}}]}}"


@pytest.mark.parametrize(("red", "action"), [(10.06, "keep_control"), (10.2, "ship")])
def test_information_beyond_the_plan_stops_with_a_bound(world, red, action):
    """Case group-sequential-information (b): information 1.07 on the second of fourteen days."""
    world.define(
        metrics=for_information(1.07), plan="{method: group_sequential}", stopping="{whole_weeks: false}"
    )
    for variant, mean in (("control", 10), ("red", red)):
        arm(world, variant, 10, 1, n=500)
        arm(world, variant, mean, 2)
        arm(world, variant, 10, 3, n=1_500)
    done = judged(world, 1, 2, 3)
    first, second, third = line(done)
    assert second["information_fraction"] == pytest.approx(1.07, rel=1e-3)
    # The first look has spent 2 - 2 Φ(2.2414 / √0.535) = 0.0022 of 0.025 a side; the bound is just above 1.96.
    assert second["seq_bound"] == pytest.approx(1.98, abs=0.02)
    assert first["seq_look"] < second["seq_look"] == third["seq_look"]
    assert (third["seq_low"], third["seq_bound"]) == (second["seq_low"], second["seq_bound"])
    said = done.decisions.sort("cut_off").to_dicts()
    assert [row["decision"] for row in said] == ["continue", "stop", "stop"]
    assert [row["action"] for row in said[1:]] == [action, action]
    if action == "keep_control":
        assert said[1]["reasons"] == ["information_complete"]
        assert said[1]["sentence"].startswith(
            "Stop: all of the planned information is in, and there is no clear difference: Revenue +0.6% ("
        )


def test_a_plan_that_ends_early_still_waits_for_the_whole_week_before_it_ships(world):
    world.define(metrics=for_information(1.07), plan="{method: group_sequential}")
    for day in (2, 6, 7):
        arm(world, "control", 10, day)
        arm(world, "red", 10.2, day)
    actions = judged(world, 2, 6, 7).decisions.sort("cut_off")["action"].to_list()
    assert actions == ["wait", "wait", "ship"]


def test_the_last_look_spends_what_is_left_however_little_came_in(world):
    """Case group-sequential-information (c): information 0.445 at the horizon, of fourteen daily looks."""
    world.define(metrics=for_information(0.445), plan="{method: group_sequential}")
    for day in range(1, 22):
        n = 2 * round(500 * min(day, 14) / 14)
        arm(world, "control", 10, day, n=n)
        arm(world, "red", 10.1, day, n=n)
    done = judged(world, *range(1, 22))
    rows = line(done)
    assert rows[13]["information_fraction"] == pytest.approx(0.445, rel=1e-2)
    # 2 - 2 Φ(2.2414 / √0.445) spent before the last day; afterwards no unit came, and what is left is spent there.
    assert rows[13]["seq_bound"] == pytest.approx(3.2, abs=0.2)
    assert rows[-1]["seq_bound"] == pytest.approx(1.96, abs=0.01)
    # z = 0.1 / 0.0447 = 2.236: beyond the last bound and no earlier one.
    assert [row["seq_crossed"] for row in rows] == [False] * 20 + [True]
    assert done.decisions.sort("cut_off")["action"].to_list()[-1] == "ship"


@pytest.mark.parametrize(("arms", "correction"), [(1, "holm"), (4, "holm"), (4, "none")])
def test_planned_information_allows_for_the_comparisons_that_share_the_errors(world, arms, correction):
    """Case group-sequential-information (a): both errors are shared between the arms."""
    names = ["red", "blue", "green", "gold"][:arms]
    listed = "".join(f", {{id: {name}}}" for name in names)
    world.define(
        type="ab" if arms == 1 else "abn",
        variants=f"[{{id: control, control: true}}{listed}]",
        metrics=for_information(1.0),
        plan=f"{{method: group_sequential, correction: {correction}}}",
    )
    for variant in ("control", *names):
        arm(world, variant, 10, 7)
    shared = 1 if correction == "none" else arms
    drift = stats.norm.isf(0.025 / shared) + stats.norm.isf(0.2 / shared)
    (row,) = line(judged(world, 7))
    assert row["information_fraction"] == pytest.approx((DRIFT / drift) ** 2, rel=1e-3)


def test_four_arms_that_have_the_minimum_effect_are_found_as_by_the_fixed_test_of_all_units():
    """Case group-sequential-information (a): 14 looks, units for a power of 0.91 by a fixed test at 0.05 / 4."""
    level, aim = 0.05 / 4, 0.91
    drift = stats.norm.isf(level / 2) + stats.norm.ppf(aim)
    planned = stats.norm.isf(level / 2) + stats.norm.isf(0.2 / 4)
    looks = np.arange(1, 15) / 14
    spent = np.append(np.minimum(looks * (drift / planned) ** 2, 1)[:-1], 1.0)
    upper = lan_demets_bounds(looks, level, spent_by=spent).upper
    assert crossing_probabilities(upper, -upper, looks, drift).upper.sum() == pytest.approx(aim, abs=0.01)


def test_a_day_that_is_no_look_keeps_the_band_of_the_look_before(world):
    world.define(plan="{method: group_sequential, looks: 2}")
    for day, mean in ((7, 10.1), (8, 10.3), (9, 9.9)):
        arm(world, "control", 10, day, n=1_000 + 10 * day)
        arm(world, "red", mean, day, n=1_000 + 10 * day)
    look, *others = line(judged(world, 7, 8, 9))
    band = ("seq_low", "seq_high", "seq_rel_low", "seq_rel_high", "seq_bound", "seq_look")
    for row in others:
        assert [row[name] for name in band] == [look[name] for name in band]
        assert row["lift_abs"] != look["lift_abs"]


@pytest.mark.parametrize("method", ["group_sequential", "always_valid", "sprt"])
def test_a_day_judged_alone_says_what_it_says_in_a_range(world, rng, method):
    world.define(
        metrics="{primary: [{metric: revenue, minimum_effect: 0.01}], guardrails: [errors]}",
        plan=f"{{method: {method}}}",
    )
    for variant in ("control", "red"):
        revenue, errors = np.round(rng.normal(5, 1, 700) * 1e6), rng.poisson(5, 700)
        for day in range(1, 15):
            cut_off = START + timedelta(days=day - 1)
            world.values(variant, revenue[: 50 * day], cut_off=cut_off)
            world.values(variant, errors[: 50 * day], metric="errors", cut_off=cut_off)
    days = list(range(1, 15))
    whole = judged(world, *days)
    for day in (1, 6, 13, 14):
        alone, cut_off = judged(world, day), START + timedelta(days=day - 1)
        for name in ("comparisons", "decisions"):
            frames = [getattr(done, name).filter(pl.col("cut_off") == cut_off) for done in (whole, alone)]
            assert_frame_equal(*frames, check_exact=True)


@pytest.mark.parametrize("method", ["group_sequential", "always_valid"])
def test_before_a_bound_has_an_end_the_sentence_says_from_when_on(world, method):
    world.define(metrics="{primary: [{metric: revenue, minimum_effect: 0.01}]}", plan=f"{{method: {method}}}")
    for variant in ("control", "red"):
        arm(world, variant, 1, 1, n=20, spread=6)
        arm(world, variant, 1, 12, n=40_000, spread=6)
    rows = line(judged(world, 1, 12))
    assert (rows[0]["seq_rel_low"], rows[0]["seq_rel_high"]) == (None, None)
    # The control's mean lies 1 / (6.16 / √20) = 0.73 standard errors from zero.
    assert rows[0]["seq_units_needed"] > 20
    assert rows[1]["seq_units_needed"] is None
    assert rows[1]["seq_rel_low"] < 0 < rows[1]["seq_rel_high"]


def test_walds_test_decides_by_both_of_its_boundaries(world):
    # Effects of 1 % of 10 against standard errors of 0.0447: llr = (0.1 d - 0.005) / 0.002002; boundaries
    # log(0.8 / 0.025) = 3.466 and log(0.2 / 0.975) = -1.584.
    for name, red in (("up", 10.13), ("flat", 10.01), ("between", 10.06)):
        world.define(
            name,
            metrics="{primary: [{metric: revenue, minimum_effect: 0.01}]}",
            plan="{method: sprt}",
            stopping="{whole_weeks: false}",
        )
        arm(world, "control", 10, 3, experiment=name)
        arm(world, "red", red, 3, experiment=name)
        arm(world, "control", 10, 4, experiment=name, n=2_000)
        arm(world, "red", 10.2, 4, experiment=name, n=2_000)
    done = judged(world, 3, 4)
    rows = {(row["experiment_id"], row["cut_off"].day - 4): row for row in line(done)}
    assert [rows[name, 3]["seq_crossed"] for name in ("up", "flat", "between")] == [True, False, False]
    assert [rows[name, 3]["seq_accepted"] for name in ("up", "flat", "between")] == [False, True, False]
    variance = 2 / 999
    for name, effect in (("up", 0.13), ("flat", 0.01), ("between", 0.06)):
        ratio = (0.1 * effect - 0.005) / variance
        row = rows[name, 3]
        assert row["seq_p_value"] == pytest.approx(min(1, 0.05 * np.exp(np.log(32) - ratio)), rel=1e-6)
        assert row["seq_bound"] == pytest.approx((np.log(32) + 0.005 / variance) * np.sqrt(variance) / 0.1)
    # A verdict once reached stays, whatever the next day shows.
    assert [rows[name, 4]["seq_crossed"] for name in ("up", "flat", "between")] == [True, False, True]
    said = {(r["experiment_id"], r["cut_off"].day - 4): r for r in done.decisions.to_dicts()}
    assert [said[name, 3]["action"] for name in ("up", "flat", "between")] == ["ship", "keep_control", "wait"]
    assert said["flat", 3]["sentence"].startswith(
        "Stop: the test has decided for no effect over one of +1.0%: Revenue +0.100% ("
    )
    assert said["flat", 4]["reasons"] == ["null_accepted"]


@pytest.mark.parametrize("method", ["fixed", "group_sequential", "always_valid", "sprt", "bayesian"])
def test_a_margin_is_cleared_by_the_band_that_holds_at_every_look(world, method):
    """Case noninferiority-under-looks: inside the margin by one look's interval is not enough on an early day."""
    world.define(
        metrics="{primary: [{metric: revenue, minimum_effect: 0.02}],"
        " guardrails: [{metric: errors, non_inferiority_margin: 0.05}]}",
        plan=f"{{method: {method}}}",
        stopping="{whole_weeks: false}",
    )
    day = 21 if method == "fixed" else 10
    for variant, mean in (("control", 10), ("red", 11)):
        arm(world, variant, mean, day)
        # Relative standard error 2 % of 100: one look's worst case is 0 + 3.9 % < 5 %.
        arm(world, variant, 100, day, metric="errors", spread=44.7)
    done = judged(world, day)
    (guard,) = line(done, metric="errors")
    assert guard["lift_rel_high"] < 0.05
    cleared = guard["seq_rel_high"] < 0.05
    assert cleared == (method == "fixed")
    assert (done.decisions["action"].to_list() == ["ship"]) == cleared


def test_a_guardrail_is_two_sided_under_a_one_sided_plan(world):
    world.define(
        metrics="{primary: [revenue], guardrails: [{metric: errors, non_inferiority_margin: 0.1}]}",
        plan="{method: always_valid, alternative: greater}",
    )
    for variant, errors in (("control", 10), ("red", 14)):
        arm(world, variant, 10, 3)
        arm(world, variant, errors, 3, metric="errors")
    done = judged(world, 3)
    (guard,) = line(done, metric="errors")
    assert guard["seq_rel_low"] > 0.1
    assert guard["seq_rel_high"] < 1
    assert done.decisions["reasons"].to_list() == [["guardrail_harmed"]]


def test_several_arms_of_a_bayesian_plan_are_decided_by_the_chance_to_be_best(world):
    """Case bayes-many-arms: two arms that both beat the control leave open which of them is best."""
    world.define(
        type="abn",
        variants="[{id: control, control: true}, {id: red}, {id: blue}]",
        plan="{method: bayesian}",
        stopping="{whole_weeks: false}",
    )
    means = {"control": 10.0, "red": 10.2, "blue": 10.15}
    for variant, mean in means.items():
        arm(world, variant, mean, 5)
        arm(world, variant, mean + 0.1 * (variant == "red"), 6, n=2_000)
    done = judged(world, 5, 6)
    draws = np.random.default_rng(3).normal(list(means.values()), 1 / np.sqrt(999), (400_000, 3))
    best = np.bincount(draws.argmax(axis=1), minlength=3) / len(draws)
    red = line(done)[0]
    assert red["prob_beat"] > 0.999
    assert red["prob_best"] == pytest.approx(best[1], abs=0.004)
    lost = (draws.max(axis=1) - draws[:, 1]).mean()
    assert red["best_loss"] == pytest.approx(lost, rel=0.02)
    assert done.decisions.sort("cut_off")["action"].to_list() == ["wait", "ship"]


def test_a_bayesian_choice_must_be_expected_to_lose_next_to_nothing(world):
    # Φ(0.09 / 0.0447) = 0.978 is sure enough; the expected loss of 3.3e-5 of the control is a hundredth of 0.33 %.
    for name, minimum in (("strict", 0.001), ("lax", 0.01)):
        world.define(
            name,
            metrics=f"{{primary: [{{metric: revenue, minimum_effect: {minimum}}}]}}",
            plan="{method: bayesian}",
            stopping="{whole_weeks: false}",
        )
        arm(world, "control", 10, 5, experiment=name)
        arm(world, "red", 10.09, 5, experiment=name)
    done = judged(world, 5)
    # E[max(0, -d)] for d ~ N(0.09, 0.0447²).
    z = 0.09 / np.sqrt(2 / 999)
    loss = np.sqrt(2 / 999) * (stats.norm.pdf(z) - z * stats.norm.sf(z))
    strict = line(done)[0]
    assert strict["best_loss"] == pytest.approx(loss, rel=1e-3)
    ends = stats.norm.interval(0.95, 0.09, np.sqrt(2 / 999))
    assert [strict["credible_low"], strict["credible_high"]] == pytest.approx(ends, rel=1e-3)
    said = dict(done.decisions.select("experiment_id", "action").iter_rows())
    assert said == {"strict": "wait", "lax": "ship"}


def test_rates_of_a_bayesian_plan_have_beta_posteriors_for_the_best_arm_too(world, rng):
    world.define(metrics="{primary: [conversion]}", plan="{method: bayesian}")
    for variant, events in (("control", 5), ("red", 9)):
        world.values(variant, [1] * events + [0] * (50 - events), metric="conversion", cut_off=START)
    (red,) = line(judged(world, 1), metric="conversion")
    # Two Beta(1 + events, 51 - events) posteriors, integrated numerically: 0.8684.
    assert red["prob_best"] == pytest.approx(0.8684, abs=5e-5)
    draws = np.random.default_rng(8).beta([6, 10], [46, 42], (1_000_000, 2))
    ends = np.quantile(draws[:, 1] - draws[:, 0], [0.025, 0.975])
    assert [red["credible_low"], red["credible_high"]] == pytest.approx(ends, abs=1e-3)


def test_a_margin_is_not_cleared_by_data_that_do_not_meet_what_the_test_requires(world):
    """A ratio of few units with a denominator may lie inside its margin by an interval that cannot be believed."""
    for name, few in (("few", 8), ("many", 800)):
        world.define(
            name,
            metrics="{primary: [revenue], guardrails: [{metric: ctr, non_inferiority_margin: 0.2}]}",
        )
        for variant, revenue in (("control", 10), ("red", 11)):
            arm(world, variant, revenue, 21, experiment=name, n=2_000)
            views = np.repeat([10, 0], [few, 2_000 - few])
            clicks = np.where(views > 0, np.tile([4, 5], 1_000), 0)
            world.values(
                variant, clicks, d=views, metric="ctr", experiment=name, cut_off=START + timedelta(days=20)
            )
    done = judged(world, 21)
    rows = done.comparisons.filter((pl.col("metric") == "ctr") & (pl.col("variant_id") == "red"))
    assert rows.sort("experiment_id")["requirements_met"].to_list() == [False, True]
    found = dict(rows.select("experiment_id", "finding").iter_rows())
    assert found == {"few": "not_yet_safe", "many": "within_margin"}
    said = dict(done.decisions.select("experiment_id", "action").iter_rows())
    assert said == {"few": "extend", "many": "ship"}
