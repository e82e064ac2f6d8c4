"""A bandit from its sums to weights in force: figures, when the weights move, when they stay, and how it ends."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, datetime, time, timedelta

import polars as pl
import pytest
from scipy import integrate, stats

from fairsplit.analysis.judgement import violations
from fairsplit.analysis.judgement.acting import ACTS, act_text, in_force, new_acts
from fairsplit.analysis.judgement.ramping import ramp_frame

START = date(2026, 1, 5)
DAY = date(2026, 1, 18)
ARMS = ("control", "red", "blue")
BANDIT = {
    "type": "bandit",
    "end": None,
    "variants": "[{id: control, control: true}, {id: red}, {id: blue}]",
    "metrics": "{primary: [conversion]}",
    "bandit": "{algorithm: thompson, reward: conversion, floor: 0.1, warm_up: 7d}",
    "plan": "{min_sample: 100, max_duration: 35d}",
}
EQUAL = "{start: 2026-01-05, weights: {control: 0.4, red: 0.3, blue: 0.3}}"
SECOND = "{start: 2026-01-15, weights: {control: 0.2, red: 0.2, blue: 0.6}}"


class Log:
    """What each phase added: units and successes per arm, all entered on one day."""

    def __init__(self, world) -> None:
        self.world = world
        self.sums: list[dict] = []
        self.totals: dict[str, list[int]] = {}

    def add(self, phase: int, day: date, counts: dict[str, tuple[int, int]]) -> None:
        for arm, (successes, units) in counts.items():
            place = {"experiment_id": "cta", "metric": "conversion", "segment": "all", "segment_level": "all"}
            place["analysis"] = "default"
            sums = {"n": units, "sum_y": successes, "sum_yy": successes}
            self.sums.append({**place, "phase": phase, "variant_id": arm, "day": day, **sums})
            self.totals.setdefault(arm, []).extend([1] * successes + [0] * (units - successes))

    def judge(self, day: date = DAY, **more):
        for arm, values in self.totals.items():
            self.world.values(arm, values, metric="conversion", cut_off=day)
        schema = {"n": pl.Int128, "sum_y": pl.Int128, "sum_yy": pl.Int128, "phase": pl.Int32}
        found = self.world.judge(day, phase_sums=pl.DataFrame(self.sums, schema_overrides=schema), **more)
        assert violations(found.comparisons, found.validity, found.decisions).is_empty()
        return found


@pytest.fixture
def log(world) -> Log:
    world.define(**BANDIT)
    return Log(world)


def test_rows_are_weighted_inside_each_phase_and_named_so(world, log):
    world.define(**{**BANDIT, "phases": f"[{EQUAL}, {SECOND}]"})
    # The level doubles in the second phase, where blue has most units; the arms are equal in both.
    log.add(0, DAY, {"control": (40, 400), "red": (30, 300), "blue": (30, 300)})
    log.add(1, DAY, {"control": (40, 200), "red": (40, 200), "blue": (120, 600)})
    rows = log.judge().comparisons.filter(pl.col("metric") == "conversion")
    blue = rows.filter(pl.col("variant_id") == "blue").to_dicts()[0]
    assert blue["method"] == "adaptive_weights"
    # Plain means say 16.7 % against 13.3 %; phase by phase there is no difference at all.
    assert blue["lift_abs"] == pytest.approx(0.0, abs=1e-12)
    assert blue["status"] == "ok"
    assert blue["seq_low"] < 0 < blue["seq_high"]
    assert set(rows["analysis"]) == {"default"}


def test_weights_follow_the_chance_of_being_best_above_the_floor(world, log):
    log.add(0, DAY, {"control": (40, 400), "red": (52, 400), "blue": (45, 400)})
    found = log.judge()
    posteriors = [stats.beta(1 + x, 401 - x) for x in (40, 52, 45)]
    best = [
        integrate.quad(
            lambda p, i=i: (
                posteriors[i].pdf(p) * posteriors[(i + 1) % 3].cdf(p) * posteriors[(i + 2) % 3].cdf(p)
            ),
            0,
            1,
        )[0]
        for i in range(3)
    ]
    rows = {row["variant_id"]: row for row in found.allocations.to_dicts()}
    assert [rows[arm]["p_best"] for arm in ARMS] == pytest.approx(best, abs=1e-7)
    # Three floors of 0.1 leave 0.7 to the algorithm; weights are whole shards of 1/10000.
    assert [rows[arm]["next_weight"] for arm in ARMS] == pytest.approx(
        [0.1 + 0.7 * p for p in best], abs=1e-4
    )
    assert sum(round(10_000 * rows[arm]["next_weight"]) for arm in ARMS) == 10_000
    said = found.decisions.to_dicts()[0]
    assert (said["decision"], said["action"], said["reasons"]) == (
        "modify",
        "set_weights",
        ["weights_follow"],
    )
    assert said["sentence"].startswith("Set the weights to control 1")
    assert said["sentence"].endswith("%).")


def test_the_step_limits_what_an_update_moves(world, log):
    world.define(**{**BANDIT, "bandit": "{algorithm: ucb, reward: conversion, floor: 0.1, max_step: 0.1}"})
    log.add(0, DAY, {"control": (40, 400), "red": (80, 400), "blue": (45, 400)})
    rows = log.judge().allocations
    # UCB wants 0.8 for red from 1/3: the way of 0.4667 is cut to 0.1, and the others give alike.
    assert dict(rows.select("variant_id", "next_weight").iter_rows()) == pytest.approx(
        {"control": 0.2833, "red": 0.4333, "blue": 0.2833}, abs=1.01e-4
    )


@pytest.mark.parametrize(
    ("changes", "day", "units", "reason", "sentence"),
    [
        ({}, date(2026, 1, 9), 400, "warm_up", "the declared weights hold for the warm-up"),
        (
            {
                "bandit": "{algorithm: thompson, reward: conversion, update_every: 7}",
                "phases": f"[{EQUAL}, {SECOND}]",
            },
            date(2026, 1, 18),
            400,
            "not_due",
            "the next update is not due",
        ),
    ],
)
def test_weights_stay_until_an_update_is_due(world, log, changes, day, units, reason, sentence):
    world.define(**{**BANDIT, **changes})
    log.add(0, day, dict.fromkeys(ARMS, (units // 10, units)))
    found = log.judge(day)
    assert set(found.allocations["reason"]) == {reason}
    assert found.allocations["next_weight"].null_count() == 3
    said = found.decisions.to_dicts()[0]
    assert (said["action"], said["reasons"]) == ("wait", ["weights_stay"])
    assert said["sentence"].startswith("The weights stay at control ")
    assert f": {sentence} (chance of being best: control 33" in said["sentence"]


def test_too_few_closed_windows_leave_the_weights(log):
    log.add(0, DAY, {"control": (40, 400), "red": (40, 400), "blue": (9, 99)})
    found = log.judge()
    assert set(found.allocations["reason"]) == {"insufficient_sample"}
    assert found.decisions["reasons"].to_list() == [["below_min_sample"]]


def test_a_closed_gate_leaves_the_weights(world, log):
    world.define(**{**BANDIT, "stopping": "{automatic: true}"})
    log.add(0, DAY, {"control": (40, 400), "red": (52, 400), "blue": (45, 400)})
    world.exposures({"control": 1_000, "red": 1_000, "blue": 700})
    found = log.judge()
    assert found.decisions["action"].to_list() == ["fix_data"]
    assert act(world.catalogue, found).is_empty()


def act(catalogue, found, day: date = DAY) -> pl.DataFrame:
    return new_acts(found.decisions, catalogue, ramp_frame(catalogue, day), found.allocations)


def test_automatic_weights_are_a_phase_from_the_midnight_after_the_next_and_set_once(world, log):
    log.add(0, DAY, {"control": (40, 400), "red": (52, 400), "blue": (45, 400)})
    found = log.judge()
    assert act(world.catalogue, found).is_empty()
    world.define(**{**BANDIT, "stopping": "{automatic: true}"})
    done = act(world.catalogue, found)
    (row,) = done.to_dicts()
    assert row["act"] == "set_weights"
    assert act_text(row) == f"Set the weights by itself. {found.decisions['sentence'][0]}"
    after = in_force(world.catalogue, done)
    first, last = after.experiments["cta"].history
    assert last.start == datetime.combine(date(2026, 1, 20), time())
    assert last.weights == json.loads(row["weights"])
    assert list(last.weights) == list(ARMS)
    assert (last.traffic, last.salts) == (first.traffic, first.salts)
    # The same cut-off judged under the new definitions says the same, and does nothing more.
    log.world.statistics.clear()
    assert act(after, log.judge()).is_empty()


@pytest.mark.parametrize(
    "edit",
    [
        {"status": "completed", "end": "2026-01-25T00:00:00Z", "shipped": "red"},
        {"status": "paused", "pauses": "[{start: 2026-01-24}]"},
        {"stopping": "{automatic: false}"},
        {"phases": f"[{EQUAL}, {{start: 2026-01-24, weights: {{control: 0.1, red: 0.8, blue: 0.1}}}}]"},
    ],
    ids=["completed", "paused", "no longer automatic", "a later phase"],
)
def test_weights_that_were_set_stay_history_whatever_is_edited_later(world, edit):
    world.define(**{**BANDIT, "phases": f"[{EQUAL}]", "stopping": "{automatic: true}", **edit})
    weights = {"control": 0.2, "red": 0.6, "blue": 0.2}
    act = {"experiment_id": "cta", "cut_off": DAY, "act": "set_weights", "weights": json.dumps(weights)}
    history = in_force(world.catalogue, pl.DataFrame([act], schema=dict(ACTS))).experiments["cta"].history
    declared = world.catalogue.experiments["cta"].history
    assert history[0] == declared[0]
    assert (history[1].start, history[1].weights) == (datetime(2026, 1, 20), weights)  # noqa: DTZ001
    assert history[2:] == declared[1:]


@pytest.mark.parametrize(("arrived", "acts"), [("2026-01-19T23:59:59", 1), ("2026-01-20T00:00:00", 0)])
def test_weights_are_not_set_for_a_time_of_which_data_have_arrived(world, log, arrived, acts):
    world.define(**{**BANDIT, "stopping": "{automatic: true}"})
    log.add(0, DAY, {"control": (40, 400), "red": (52, 400), "blue": (45, 400)})
    found = log.judge()
    ramps, known_to = ramp_frame(world.catalogue, DAY), datetime.fromisoformat(arrived)
    done = new_acts(found.decisions, world.catalogue, ramps, found.allocations, known_to)
    assert done.height == acts


def test_a_journalled_update_says_the_same_when_its_cut_off_is_judged_anew(world, log):
    log.add(0, DAY, {"control": (40, 400), "red": (52, 400), "blue": (45, 400)})
    before = log.judge()
    weights = dict(before.allocations.select("variant_id", "next_weight").iter_rows())
    later = ", ".join(f"{arm}: {weights[arm]}" for arm in ARMS)
    third = "{start: 2026-01-05, weights: {control: 0.3334, red: 0.3333, blue: 0.3333}}"
    world.define(**{**BANDIT, "phases": f"[{third}, {{start: 2026-01-20, weights: {{{later}}}}}]"})
    world.statistics.clear()
    again = log.judge()
    assert again.decisions.select("action", "reasons").equals(before.decisions.select("action", "reasons"))
    assert again.allocations["p_best"].equals(before.allocations["p_best"])


def test_an_arm_that_is_out_stays_out(world, log):
    out = "{start: 2026-01-10, weights: {control: 0.5, red: 0.5, blue: 0}}"
    world.define(**{**BANDIT, "phases": f"[{EQUAL}, {out}]"})
    log.add(0, DAY, {"control": (40, 400), "red": (50, 400), "blue": (45, 400)})
    log.add(1, DAY, {"control": (40, 400), "red": (50, 400)})
    rows = {row["variant_id"]: row for row in log.judge().allocations.to_dicts()}
    assert (rows["blue"]["next_weight"], rows["blue"]["p_best"]) == (0.0, None)
    assert rows["control"]["next_weight"] + rows["red"]["next_weight"] == pytest.approx(1)


@pytest.mark.parametrize(
    ("counts", "action", "arm"),
    [
        ({"control": (40, 800), "red": (160, 800), "blue": (60, 800)}, "ship", "red"),
        ({"control": (160, 800), "red": (40, 800), "blue": (60, 800)}, "keep_control", "control"),
    ],
)
def test_it_stops_when_one_arm_is_better_than_every_other(log, counts, action, arm):
    log.add(0, DAY, counts)
    found = log.judge()
    assert found.allocations.filter("is_best")["variant_id"].to_list() == [arm]
    said = found.decisions.to_dicts()[0]
    assert (said["decision"], said["action"], said["variant_id"]) == ("stop", action, arm)
    assert said["reasons"] == ["best_arm"]
    better = ": it is better than every other arm, with an error of at most"
    assert f"{better} 5.0% however often one looks (chance of being best:" in said["sentence"]


def test_two_good_arms_are_no_best_arm_however_bad_the_control(log):
    log.add(0, DAY, {"control": (40, 800), "red": (160, 800), "blue": (158, 800)})
    found = log.judge()
    assert not found.allocations["is_best"].any()
    assert found.decisions["action"].to_list() == ["set_weights"]


def test_whole_weeks_are_awaited_before_it_stops(log):
    log.add(0, date(2026, 1, 17), {"control": (40, 800), "red": (160, 800), "blue": (60, 800)})
    found = log.judge(date(2026, 1, 17))
    assert found.allocations["is_best"].any()
    assert found.decisions["action"].to_list() == ["set_weights"]


def test_at_the_end_without_a_best_arm_a_person_decides(log):
    end = START + timedelta(days=34)
    log.add(0, DAY, dict.fromkeys(ARMS, (40, 400)))
    said = log.judge(end).decisions.to_dicts()[0]
    assert (said["decision"], said["action"], said["reasons"]) == ("inconclusive", "extend", ["no_best_arm"])
    assert said["sentence"].startswith(
        "The planned time is over, and no arm is surely better than every other (chance of being best: control 33"
    )


def test_a_reward_of_which_less_is_better_is_turned_round(world, log, monkeypatch):
    less = replace(world.metrics["conversion"], direction="decrease")
    monkeypatch.setitem(world.metrics, "conversion", less)
    log.add(0, DAY, {"control": (400, 800), "red": (200, 800), "blue": (390, 800)})
    rows = log.judge().allocations
    assert rows.sort("p_best")["variant_id"].to_list()[-1] == "red"
    assert rows.filter("is_best")["variant_id"].to_list() == ["red"]


def test_bandit_empty_arm_is_no_harm(world, log):
    """Case `bandit-empty-arm`: nothing among 100 units says little where 1 % are expected (Fisher's p is .62)."""
    declared = "{start: 2026-01-05, weights: {control: 0.9, red: 0.05, blue: 0.05}}"
    rule = "{algorithm: thompson, reward: conversion, floor: 0.05, warm_up: 7d}"
    world.define(**{**BANDIT, "phases": f"[{declared}]", "bandit": rule})
    log.add(0, DAY, {"control": (18, 1800), "red": (0, 100), "blue": (0, 100)})
    found = log.judge()
    for row in found.comparisons.filter(pl.col("variant_id") != "control").to_dicts():
        # By hand: 18 of 2,000 in each arm at least, and the control's own 1 %.
        both = 18 / 2000
        expected = both * (1 - both) / 100 + 0.01 * 0.99 / 1800
        assert row["lift_std_error"] == pytest.approx(expected**0.5, rel=1e-9)
        assert row["p_value"] > 0.05
        assert row["lift_abs_low"] < 0 < row["lift_abs_high"]
        assert row["seq_low"] < 0 < row["seq_high"]
    assert not found.allocations["is_best"].any()
    assert found.decisions["decision"].to_list() != ["stop"]


WORLD = "{{start: 2026-01-{day}, weights: {{control: {control}, red: {red}, blue: {blue}}}}}"


def drifting(world, log) -> None:
    """Base .40, .20, .10 over three phases; blue is there from the second on and five points better."""
    shares = [("05", 0.5, 0.5, 0.0), ("08", 0.4, 0.4, 0.2), ("11", 0.4, 0.4, 0.2)]
    phases = ", ".join(
        WORLD.format(day=day, control=control, red=red, blue=blue) for day, control, red, blue in shares
    )
    world.define(**{**BANDIT, "phases": f"[{phases}]"})
    log.add(0, DAY, {"control": (400, 1000), "red": (400, 1000)})
    log.add(1, DAY, {"control": (160, 800), "red": (160, 800), "blue": (100, 400)})
    log.add(2, DAY, {"control": (80, 800), "red": (80, 800), "blue": (60, 400)})


def test_bandit_two_chances_is_one_and_blue_gets_more(world, log):
    """Case `bandit-two-chances`: pooled, blue (20 %) is far below the control (25 %)."""
    drifting(world, log)
    found = log.judge()
    rows = {row["variant_id"]: row for row in found.allocations.to_dicts()}
    blue = found.comparisons.filter(pl.col("variant_id") == "blue").to_dicts()[0]
    assert blue["lift_abs"] == pytest.approx(0.05, abs=1e-9)
    assert rows["blue"]["mean"] - rows["control"]["mean"] == pytest.approx(blue["lift_abs"])
    assert rows["blue"]["p_best"] > 0.95
    assert rows["blue"]["next_weight"] > 0.7
    assert sum(row["p_best"] for row in rows.values()) == pytest.approx(1)
    # Against each of two equal rivals by itself the chance is larger than against both.
    alone = stats.norm.sf(-blue["lift_abs"] / blue["lift_std_error"])
    assert rows["blue"]["p_best"] < alone
    assert log.judge().allocations["p_best"].equals(found.allocations["p_best"])


def test_bandit_means_beside_lift_agree_with_it(world, log):
    """Case `bandit-means-beside-lift`."""
    drifting(world, log)
    for row in log.judge().comparisons.filter(pl.col("variant_id") != "control").to_dicts():
        assert row["mean"] - row["control_mean"] == pytest.approx(row["lift_abs"], abs=1e-12)
        assert row["lift_rel"] == pytest.approx(row["lift_abs"] / row["control_mean"])


def test_the_chance_is_known_where_the_control_has_stopped(world, log):
    stopped = "{start: 2026-01-08, weights: {control: 0.0, red: 0.3, blue: 0.7}}"
    world.define(**{**BANDIT, "phases": f"[{EQUAL}, {stopped}]"})
    log.add(0, DAY, {"control": (160, 400), "red": (120, 300), "blue": (150, 300)})
    log.add(1, DAY, {"red": (60, 600), "blue": (280, 1400)})
    rows = {row["variant_id"]: row for row in log.judge().allocations.to_dicts()}
    assert rows["control"]["p_best"] is None
    assert rows["blue"]["p_best"] > 0.99
    assert rows["blue"]["p_best"] + rows["red"]["p_best"] == pytest.approx(1)


def test_the_sentence_names_each_arm_that_moves_once_and_no_chance_of_nought(log):
    log.add(0, DAY, {"control": (40, 800), "red": (160, 800), "blue": (158, 800)})
    sentence = log.judge().decisions["sentence"][0]
    weights, chances = sentence.split(" (chance of being best: ")
    assert [weights.count(f"{arm} ") for arm in ARMS] == [1, 1, 1]
    assert weights.count("(from 33.3%)") + weights.count("(from 33.4%)") == 3
    assert chances.startswith("red ")
    assert chances.endswith(" and any other below 0.1%).")
