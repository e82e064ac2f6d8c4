from __future__ import annotations

import ast
import re
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from fairsplit.analysis.flat_files import Request, analyse
from fairsplit.analysis.judgement import Facts, judge_cut_offs, violations
from fairsplit.analysis.judgement.deciding import RULES

HORIZON = date(2026, 1, 25)  # 14 planned days and a window of 7


def arm(world, variant: str, mean: float, *, n: int = 1_000, spread: float = 1.0, **place) -> None:
    """An arm whose units lie evenly at mean ± spread: its mean and variance are known."""
    values = np.tile([mean - spread, mean + spread], n // 2)
    scale = 1_000_000 if place.get("metric", "revenue") == "revenue" else 1
    world.values(variant, np.round(values * scale), **place)


def decide(world, cut_off: date = HORIZON, **more) -> dict:
    judged = world.judge(cut_off, **more)
    assert violations(judged.comparisons, judged.validity, judged.decisions).is_empty()
    rows = judged.decisions.to_dicts()
    assert len(rows) == 1
    return rows[0]


def says(decision: dict) -> tuple:
    return decision["decision"], decision["action"], decision["variant_id"], decision["reasons"]


def test_a_winner_at_the_horizon_is_shipped(world):
    world.define()
    arm(world, "control", 10)
    arm(world, "red", 10.5)
    decision = decide(world)
    assert says(decision) == ("stop", "ship", "red", ["primary_improved"])
    assert decision["sentence"] == "Ship red: Revenue +5.0% (+4.1% to +5.9%)."


def test_the_same_numbers_before_the_horizon_conclude_nothing(world):
    world.define()
    day = date(2026, 1, 24)
    arm(world, "control", 10, cut_off=day)
    arm(world, "red", 10.5, cut_off=day)
    decision = decide(world, day)
    assert says(decision) == ("continue", "wait", None, ["collecting"])
    assert decision["sentence"] == "Keep running: day 20 of 21, and nothing may be concluded yet."


def test_a_fixed_plan_concludes_once_whatever_comes_later(world):
    world.define()
    arm(world, "control", 10)
    arm(world, "red", 10.5)
    later = date(2026, 1, 28)
    arm(world, "control", 10, cut_off=later)
    arm(world, "red", 10, cut_off=later)
    assert says(decide(world, later)) == ("stop", "ship", "red", ["primary_improved"])


def test_a_loser_is_rolled_back(world):
    world.define()
    arm(world, "control", 10)
    arm(world, "red", 9.5)
    decision = decide(world)
    assert says(decision) == ("stop", "roll_back", "control", ["primary_harmed"])
    assert decision["sentence"] == "Roll back: red does worse, Revenue −5.0% (−5.9% to −4.1%)."


def test_a_metric_that_should_fall_wins_by_falling(world):
    world.define(metrics="{primary: [errors]}")
    arm(world, "control", 10, metric="errors")
    arm(world, "red", 9, metric="errors")
    assert says(decide(world)) == ("stop", "ship", "red", ["primary_improved"])


def test_the_best_of_several_winners_is_shipped(world):
    world.define(type="abn", variants="[{id: control, control: true}, {id: red}, {id: blue}]")
    arm(world, "control", 10)
    arm(world, "red", 10.4)
    arm(world, "blue", 10.8)
    assert says(decide(world)) == ("stop", "ship", "blue", ["primary_improved"])


def test_one_bad_arm_of_several_is_disabled(world):
    world.define(type="abn", variants="[{id: control, control: true}, {id: red}, {id: blue}]")
    arm(world, "control", 10)
    arm(world, "red", 10.01)
    arm(world, "blue", 9)
    decision = decide(world)
    assert says(decision) == ("modify", "disable_arm", "blue", ["primary_harmed"])
    assert decision["sentence"].startswith("Disable blue: it does worse, Revenue −10.0% (−1")


def test_harm_to_a_guardrail_stops_a_winner_and_at_any_time(world):
    world.define(metrics="{primary: [revenue], guardrails: [errors]}")
    day = date(2026, 1, 14)
    for variant, revenue, errors in (("control", 10, 10), ("red", 11, 12)):
        arm(world, variant, revenue, cut_off=day)
        arm(world, variant, errors, metric="errors", cut_off=day)
    decision = decide(world, day)
    assert says(decision) == ("stop", "roll_back", "control", ["guardrail_harmed"])
    assert decision["sentence"].startswith("Roll back: red harms Errors +20.0% (+")


def test_harm_inside_the_margin_is_tolerated(world):
    world.define(metrics="{primary: [revenue], guardrails: [{metric: errors, non_inferiority_margin: 0.1}]}")
    for variant, revenue, errors in (("control", 10, 100), ("red", 11, 102)):
        arm(world, variant, revenue)
        arm(world, variant, errors, metric="errors")
    decision = decide(world)
    assert says(decision) == ("stop", "ship", "red", ["primary_improved"])
    assert decision["sentence"].endswith(", and no guardrail is harmed.")


def test_a_guardrail_that_may_lie_beyond_its_margin_holds_a_winner_back(world):
    world.define(metrics="{primary: [revenue], guardrails: [{metric: errors, non_inferiority_margin: 0.01}]}")
    for variant, revenue in (("control", 10), ("red", 11)):
        arm(world, variant, revenue)
        arm(world, variant, 10, metric="errors", spread=5)
    assert says(decide(world)) == ("inconclusive", "extend", "red", ["guardrail_not_cleared"])


def test_too_few_units_wait_and_are_extended_at_the_end(world):
    world.define(plan="{min_sample: 5000}")
    arm(world, "control", 10)
    arm(world, "red", 11)
    decision = decide(world)
    assert says(decision) == ("extend", "extend", None, ["below_min_sample"])
    assert decision["sentence"] == (
        "The planned time is over, but an arm has 1,000 of the 5,000 units that the plan asks for."
    )


def test_a_file_without_a_metric_has_its_split_judged():
    counts = pl.DataFrame({"arm": ["control", "red"], "units": [5_000, 5_100]})
    decision = analyse(counts, Request("file", HORIZON, units="units")).judgement.decisions.row(0, named=True)
    assert says(decision) == ("inconclusive", "wait", None, ["split_only"])
    assert decision["sentence"] == "Only the split is judged, and it may be read on: no metric is given."


def test_no_difference_is_inconclusive(world):
    world.define()
    arm(world, "control", 10)
    arm(world, "red", 10)
    decision = decide(world)
    assert says(decision) == ("inconclusive", "keep_control", "control", ["no_difference_found"])
    assert decision["sentence"] == "No clear difference: Revenue +0.0% (−0.9% to +0.9%)."


def test_an_effect_that_must_be_too_small_stops(world):
    world.define(metrics="{primary: [{metric: revenue, minimum_effect: 0.05}]}")
    arm(world, "control", 10)
    arm(world, "red", 10)
    decision = decide(world)
    assert says(decision) == ("stop", "keep_control", "control", ["effect_below_minimum"])
    assert decision["sentence"] == "Keep control: any effect is smaller than the +5.0% worth finding."


def test_a_little_more_time_is_asked_for_where_it_would_decide(world):
    # Relative standard error 0.00447; detectable at power 80%: 0.01253. For 0.011: 21 · (1.297 - 1) = 7 days.
    world.define(metrics="{primary: [{metric: revenue, minimum_effect: 0.011}]}")
    arm(world, "control", 10)
    arm(world, "red", 10.06)
    decision = decide(world)
    assert says(decision) == ("extend", "extend", None, ["underpowered"])
    assert decision["sentence"] == "No clear result yet; about 7 more days would find an effect of +1.1%."


def test_too_few_units_for_what_was_to_be_found_are_no_absence_of_a_difference(world):
    # Detectable at power 80%: 0.01253. For 0.005: 21 · (6.28 - 1) = 111 days, more than the plan has had.
    world.define(metrics="{primary: [{metric: revenue, minimum_effect: 0.005}]}")
    arm(world, "control", 10)
    arm(world, "red", 10)
    decision = decide(world)
    assert says(decision) == ("inconclusive", "extend", None, ["too_few_to_tell"])
    assert decision["sentence"] == (
        "Too few units to tell: Revenue +0.0% (−0.9% to +0.9%), and an effect of +0.5% would take about 111 more days."
    )


def test_a_plan_that_has_spent_its_error_on_too_few_units_asks_for_a_new_experiment(world):
    world.define(
        metrics="{primary: [{metric: revenue, minimum_effect: 0.005}]}", plan="{method: group_sequential}"
    )
    arm(world, "control", 10)
    arm(world, "red", 10)
    decision = decide(world)
    assert says(decision) == ("inconclusive", "keep_control", "control", ["too_few_to_tell"])
    assert decision["sentence"].endswith(
        "). The plan has spent its error, so that an effect of +0.5% asks for a new experiment."
    )


def test_units_that_bear_no_verdict_bear_no_word_that_there_is_no_difference(world):
    """Twenty units an arm: a mean asks for thirty."""
    world.define(plan="{min_sample: 10}")
    arm(world, "control", 10, n=20)
    arm(world, "red", 10, n=20)
    decision = decide(world)
    assert says(decision) == ("inconclusive", "extend", "red", ["requirements_unmet"])
    assert decision["sentence"].endswith("and its test asks for at least 30 units in each arm (it has 20).")


def test_twenty_units_of_a_file_advise_nothing():
    """Nothing says how many would have been enough."""
    clicks = pl.DataFrame({"arm": ["control", "red"] * 20, "clicked": [0, 1, 1, 0] * 10})
    decision = analyse(clicks, Request("file", HORIZON, metrics=["clicked:proportion"])).judgement.decisions
    assert says(decision.row(0, named=True)) == ("inconclusive", "wait", None, ["no_difference_found"])


@pytest.mark.parametrize(
    ("red", "expected"),
    [
        (10.5, ("modify", "investigate", None, ["aa_difference"])),
        (10.0, ("stop", "keep_control", "control", ["aa_clean"])),
    ],
)
def test_an_aa_experiment_never_has_a_winner(world, red, expected):
    world.define(type="aa")
    arm(world, "control", 10)
    arm(world, "red", red)
    assert says(decide(world)) == expected


def test_an_anytime_plan_may_win_early_after_whole_weeks(world):
    world.define(plan="{method: always_valid}")
    for day in (date(2026, 1, 10), date(2026, 1, 11)):
        arm(world, "control", 10, cut_off=day)
        arm(world, "red", 10.5, cut_off=day)
    assert says(decide(world, date(2026, 1, 10))) == ("continue", "wait", None, ["whole_weeks"])
    assert says(decide(world, date(2026, 1, 11))) == ("stop", "ship", "red", ["primary_improved"])


def test_what_a_whole_week_decided_stays_decided_in_the_middle_of_the_next(world):
    world.define(plan="{method: always_valid}")
    for day in (date(2026, 1, 11), date(2026, 1, 13)):
        arm(world, "control", 10, cut_off=day)
        arm(world, "red", 10.5, cut_off=day)
    assert says(decide(world, date(2026, 1, 13))) == ("stop", "ship", "red", ["primary_improved"])


def test_without_an_end_the_longest_duration_is_the_horizon(world):
    world.define(end=None, plan="{max_duration: 14d}")
    day = date(2026, 1, 18)
    arm(world, "control", 10, cut_off=day, n_open=300)
    arm(world, "red", 10.5, cut_off=day, n_open=300)
    assert says(decide(world, day)) == ("stop", "ship", "red", ["primary_improved"])


def test_a_group_sequential_plan_keeps_what_it_crossed(world):
    world.define(plan="{method: group_sequential}")
    for day, red in ((date(2026, 1, 17), 10.5), (date(2026, 1, 18), 10.02)):
        arm(world, "control", 10, cut_off=day)
        arm(world, "red", red, cut_off=day)
    assert says(decide(world, date(2026, 1, 18))) == ("stop", "ship", "red", ["primary_improved"])


def test_a_bayesian_plan_goes_by_the_probability(world):
    world.define(plan="{method: bayesian}", stopping="{whole_weeks: false}")
    day = date(2026, 1, 13)
    arm(world, "control", 10, cut_off=day)
    arm(world, "red", 10.09, cut_off=day)  # P(better) = Φ(0.09 / 0.0447) = 0.978
    assert says(decide(world, day)) == ("stop", "ship", "red", ["primary_improved"])


POOR = "{poor_performer: {metric: errors, threshold: 5, min_exposures: 800}}"


def test_an_arm_below_the_floor_is_disabled_once_enough_units_saw_it(world):
    world.define(
        type="abn",
        variants="[{id: control, control: true}, {id: red}, {id: blue}]",
        metrics="{primary: [revenue], secondary: [errors]}",
        stopping=POOR,
    )
    day = date(2026, 1, 14)
    for variant, errors in (("control", 4), ("red", 4), ("blue", 8)):
        arm(world, variant, 10, cut_off=day)
        arm(world, variant, errors, metric="errors", cut_off=day)
    decision = decide(world, day)
    assert says(decision) == ("modify", "disable_arm", "blue", ["poor_performer"])
    assert decision["sentence"] == "Disable blue: it stays below the floor that the plan sets (errors 5)."


@pytest.mark.parametrize(("units", "errors"), [(700, 8), (1_000, 5.05)])
def test_too_few_exposures_or_a_near_miss_disable_nothing(world, units, errors):
    world.define(metrics="{primary: [revenue], secondary: [errors]}", stopping=POOR)
    day = date(2026, 1, 14)
    for variant, value in (("control", 4), ("red", errors)):
        arm(world, variant, 10, cut_off=day)
        arm(world, variant, value, metric="errors", n=units, spread=2, cut_off=day)
    assert says(decide(world, day))[3] == ["collecting"]


@pytest.mark.parametrize(
    ("red", "futility", "reasons"),
    [(9.97, "true", ["futile"]), (9.97, "false", ["collecting"]), (10.1, "true", ["collecting"])],
)
def test_a_plan_that_can_hardly_succeed_is_given_up_where_that_is_declared(world, red, futility, reasons):
    world.define(
        metrics="{primary: [{metric: revenue, minimum_effect: 0.0125}]}",
        plan="{method: group_sequential}",
        stopping=f"{{futility: {futility}}}",
    )
    day = date(2026, 1, 14)
    arm(world, "control", 10, cut_off=day, n=600)
    arm(world, "red", red, cut_off=day, n=600)
    decision = decide(world, day)
    assert decision["reasons"] == reasons
    if reasons == ["futile"]:
        assert says(decision) == ("stop", "keep_control", "control", ["futile"])
        # z = -0.5192 at t = 0.5962: Φ((-0.4009 + 2.8016 · 0.4038 - 1.9600) / 0.6354) = Φ(-1.935) = 0.0265.
        assert decision["sentence"] == (
            "Stop: were the effect +1.2%, the chance of a clear result by the end would be 2.6%."
        )


@pytest.mark.parametrize(("binding", "reason"), [("true", "futile"), ("false", "primary_improved")])
def test_a_plan_that_binds_itself_to_give_up_cannot_win_later(world, binding, reason):
    world.define(
        metrics="{primary: [{metric: revenue, minimum_effect: 0.0125}]}",
        plan="{method: group_sequential}",
        stopping=f"{{binding_futility: {binding}}}",
    )
    # The first day is the last test's futile one; by the second the effect is beyond every bound.
    for day, red, units in ((date(2026, 1, 14), 9.97, 600), (date(2026, 1, 25), 10.5, 1_200)):
        arm(world, "control", 10, cut_off=day, n=units)
        arm(world, "red", red, cut_off=day, n=units)
    decision = decide(world, date(2026, 1, 25))
    assert decision["reasons"] == [reason]
    if reason == "futile":
        assert decision["sentence"] == (
            "Stop: since 2026-01-14 there was hardly a chance of a clear result, and the plan binds itself to end then."
        )


@pytest.mark.parametrize("binding", ["true", "false"])
def test_an_effect_that_turns_round_after_its_bound_concludes_nothing(world, binding):
    world.define(
        metrics="{primary: [{metric: revenue, minimum_effect: 0.0125}]}",
        plan="{method: group_sequential}",
        stopping=f"{{binding_futility: {binding}}}",
    )
    for day, red, units in ((date(2026, 1, 11), 11, 200), (date(2026, 1, 18), 9.97, 1_000)):
        arm(world, "control", 10, cut_off=day, n=units)
        arm(world, "red", red, cut_off=day, n=units)
    assert says(decide(world, date(2026, 1, 11)))[:3] == ("stop", "ship", "red")
    # What crossed upwards does not roll back because the mean has fallen below the control's, well inside its interval.
    later = decide(world, date(2026, 1, 18))
    assert later["action"] not in {"ship", "roll_back"}
    assert "since 2026" not in later["sentence"]


def test_nothing_invalid_is_called_a_winner(world):
    world.define()
    arm(world, "control", 10)
    arm(world, "red", 12)
    world.exposures({"control": 5_000, "red": 4_000})
    decision = decide(world)
    assert says(decision) == ("modify", "fix_data", None, ["invalid", "srm"])
    assert decision["sentence"].startswith(
        "Fix the data before reading any result: Units split 5,000 / 4,000"
    )


def test_windows_that_have_not_closed_are_awaited(world):
    world.define()
    world.values("control", [], n_open=1_200)
    world.values("red", [], n_open=1_300)
    decision = decide(world)
    assert says(decision) == ("continue", "wait", None, ["no_closed_window"])
    assert decision["sentence"] == "2,500 units are exposed, and no metric window has closed yet."


def test_a_draft_is_only_a_draft(world):
    world.define(status="draft")
    arm(world, "control", 10)
    arm(world, "red", 12)
    decision = decide(world)
    assert says(decision) == ("continue", "wait", None, ["not_started"])
    assert decision["sentence"] == "The experiment is a draft; nobody is exposed."


def test_the_declared_analysis_decides(world):
    world.define(crossovers="exclude")
    for analysis, red in (("default", 10), ("crossovers_excluded", 11)):
        arm(world, "control", 10, analysis=analysis)
        arm(world, "red", red, analysis=analysis)
    assert says(decide(world)) == ("stop", "ship", "red", ["primary_improved"])


def test_a_broken_invariant_is_named(world):
    world.define()
    arm(world, "control", 10)
    arm(world, "red", 11)
    judged = world.judge()
    for column, value, rule in (
        ("p_value", 1.5, "p_value_in_range"),
        ("lift_abs", 99.0, "interval_contains_estimate"),
        ("n", 0, "units_where_ok"),
        ("unit", "", "unit_named"),
        ("mean", float("inf"), "numbers_finite"),
    ):
        dtype = judged.comparisons.schema[column]
        is_red = pl.col("variant_id") == "red"
        broken = judged.comparisons.with_columns(
            pl.when(is_red).then(pl.lit(value, dtype)).otherwise(column).alias(column)
        )
        assert rule in violations(broken, judged.validity, judged.decisions)["rule"].to_list()


def test_a_fault_on_one_day_does_not_forbid_the_verdict_of_an_earlier_one(world):
    world.define()
    arm(world, "control", 10)
    arm(world, "red", 12)
    world.exposures({"control": 5_000, "red": 5_000})
    world.exposures({"control": 5_000, "red": 1_000}, day=date(2026, 1, 26))
    later = date(2026, 1, 26)
    days = [HORIZON, later]
    facts = Facts(sufficient_statistics=world.statistics_frame(), daily_exposures=world.daily_frame())
    judged = judge_cut_offs(facts, world.catalogue, world.metrics, days)
    assert judged.decisions["action"].to_list() == ["ship", "fix_data"]
    assert violations(judged.comparisons, judged.validity, judged.decisions).is_empty()


def test_a_verdict_on_invalid_data_breaks_an_invariant(world):
    world.define()
    arm(world, "control", 10)
    arm(world, "red", 12)
    world.exposures({"control": 5_000, "red": 4_000})
    judged = world.judge()
    said = judged.decisions.with_columns(action=pl.lit("ship"))
    assert violations(judged.comparisons, judged.validity, said)["rule"].to_list() == [
        "invalid_has_no_verdict"
    ]


def test_one_of_several_arms_that_harms_a_guardrail_is_disabled(world):
    world.define(
        type="abn",
        variants="[{id: control, control: true}, {id: red}, {id: blue}]",
        metrics="{primary: [revenue], guardrails: [errors]}",
    )
    day = date(2026, 1, 14)
    for variant, errors in (("control", 10), ("red", 10), ("blue", 12)):
        arm(world, variant, 10, cut_off=day)
        arm(world, variant, errors, metric="errors", cut_off=day)
    decision = decide(world, day)
    assert says(decision) == ("modify", "disable_arm", "blue", ["guardrail_harmed"])
    assert decision["sentence"].startswith("Disable blue: it harms Errors +20.0% (+")


def test_the_only_arm_below_the_floor_is_rolled_back(world):
    world.define(metrics="{primary: [revenue], secondary: [errors]}", stopping=POOR)
    day = date(2026, 1, 14)
    for variant, errors in (("control", 4), ("red", 8)):
        arm(world, variant, 10, cut_off=day)
        arm(world, variant, errors, metric="errors", cut_off=day)
    decision = decide(world, day)
    assert says(decision) == ("stop", "roll_back", "control", ["poor_performer"])
    assert decision["sentence"] == "Roll back: red stays below the floor that the plan sets (errors 5)."


def test_a_difference_in_the_middle_of_a_week_says_what_it_waits_for(world):
    world.define(plan="{method: always_valid}")
    day = date(2026, 1, 10)
    arm(world, "control", 10, cut_off=day)
    arm(world, "red", 10.5, cut_off=day)
    assert decide(world, day)["sentence"] == (
        "A difference is showing; whole weeks are awaited before it may decide (6 days so far)."
    )


def test_too_few_units_so_far_say_how_many(world):
    world.define(plan="{min_sample: 5000}")
    day = date(2026, 1, 14)
    arm(world, "control", 10, cut_off=day)
    arm(world, "red", 11, cut_off=day)
    decision = decide(world, day)
    assert says(decision) == ("continue", "wait", None, ["below_min_sample"])
    assert decision["sentence"] == "Too early: the smallest arm has 1,000 of 5,000 units."


def test_an_arm_held_back_by_a_guardrail_says_why(world):
    world.define(metrics="{primary: [revenue], guardrails: [{metric: errors, non_inferiority_margin: 0.01}]}")
    for variant, revenue in (("control", 10), ("red", 11)):
        arm(world, variant, revenue)
        arm(world, variant, 10, metric="errors", spread=5)
    assert decide(world)["sentence"] == (
        "red improves the primary metric, but a guardrail may still be worse than its margin allows."
    )


@pytest.mark.parametrize(
    ("red", "sentence"),
    [
        (
            10.5,
            "An A/A experiment differs between its arms: look for a fault in assignment, logging or the metric.",
        ),
        (10.0, "The A/A experiment found no difference, as it should."),
    ],
)
def test_an_aa_experiment_says_whether_the_pipeline_is_sound(world, red, sentence):
    world.define(type="aa")
    arm(world, "control", 10)
    arm(world, "red", red)
    assert decide(world)["sentence"] == sentence


def _said_in_tests() -> list[str]:
    folder = Path(__file__).parent
    trees = [ast.parse(path.read_text()) for path in sorted(folder.glob("test_*.py"))]
    constants = (node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return [node.value for node in constants if isinstance(node.value, str)]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.reason}-{rule.action}")
def test_every_rule_has_a_scripted_case_with_its_sentence(rule):
    """What a rule says between its figures stands in some test, word for word."""
    longest = max(re.split(r"\{[^}]*\}", rule.sentence), key=len).strip()
    assert any(longest in text for text in _said_in_tests())


def test_an_end_without_an_exposure_is_no_reason_to_go_on(world):
    world.define()
    arm(world, "control", 10)
    arm(world, "red", 10)
    early = date(2026, 1, 6)
    arm(world, "control", 10, cut_off=early)
    arm(world, "red", 10, cut_off=early)

    def empty(cut_off: date) -> dict:
        found = world.judge(cut_off).decisions.filter(pl.col("experiment_id") == "empty")
        return found.row(0, named=True)

    world.define("empty")
    decision = empty(HORIZON)
    assert says(decision) == ("inconclusive", "investigate", None, ["ended_unseen"])
    assert decision["sentence"] == (
        "It has ended and no unit was ever exposed: see whether the flag was evaluated and its exposures were sent."
    )
    assert says(empty(early)) == ("continue", "wait", None, ["no_exposure"])
    assert empty(early)["sentence"] == "No unit has been exposed yet."
    world.define("empty", status="cancelled")
    assert says(empty(early))[3] == ["ended_unseen"]


def test_sentences_name_arms_as_readers_do(world):
    world.define(variants="[{id: control, control: true, name: Blue button}, {id: red, name: Red button}]")
    arm(world, "control", 10)
    arm(world, "red", 10.5)
    decision = decide(world)
    assert decision["variant_id"] == "red"
    assert decision["sentence"].startswith("Ship Red button: ")
    world.define(variants="[{id: control, control: true}, {id: red, name: Red button}]")
    arm(world, "red", 9.5)
    assert decide(world)["sentence"].startswith("Roll back: Red button does worse, ")
