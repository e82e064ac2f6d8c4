"""What a decision does by itself, and every transition of a ramp with its sentence."""

from __future__ import annotations

from datetime import date, datetime, time

import numpy as np
import polars as pl
import pytest

from fairsplit.analysis.catalogue.shards import shard_ranges, share_to_shards, without_arm
from fairsplit.analysis.judgement import ALLOCATIONS, violations
from fairsplit.analysis.judgement.acting import ACTS, in_force, new_acts
from fairsplit.analysis.judgement.ramping import ramp_frame

HORIZON = date(2026, 1, 25)
EARLY = date(2026, 1, 7)
RAMP = "{steps: [{traffic: 0.25, after: 3d, min_sample: 500}, {traffic: 1.0, after: 2d, min_sample: 2000}]}"
RAMPED = {
    "phases": "[{start: 2026-01-05, traffic: 0.05, weights: {control: 0.5, red: 0.5}}]",
    "ramp": RAMP,
    "metrics": "{primary: [revenue], guardrails: [errors]}",
}


def midnight(day: int) -> datetime:
    return datetime.combine(date(2026, 1, day), time())


def arm(world, variant: str, mean: float, *, n: int = 1_000, **place) -> None:
    values = np.tile([mean - 1, mean + 1], n // 2)
    scale = 1_000_000 if place.get("metric", "revenue") == "revenue" else 1
    world.values(variant, np.round(values * scale), **place)


def both(world, cut_off, *, n=1_000, errors=10, **more) -> dict:
    for variant, count in (("control", 10), ("red", errors)):
        arm(world, variant, 10, cut_off=cut_off, n=n)
        arm(world, variant, count, metric="errors", cut_off=cut_off, n=n)
    judged = world.judge(cut_off, **more)
    assert violations(judged.comparisons, judged.validity, judged.decisions).is_empty()
    return judged.decisions.to_dicts()[0]


def acts(world, decisions: pl.DataFrame, cut_off: date) -> pl.DataFrame:
    return new_acts(decisions, world.catalogue, ramp_frame(world.catalogue, cut_off), NO_BANDITS)


def test_a_ramp_advances_when_its_time_and_its_units_are_there(world):
    world.define(**RAMPED)
    said = both(world, EARLY)
    assert (said["decision"], said["action"], said["reasons"]) == (
        "modify",
        "widen_traffic",
        ["ramp_advances"],
    )
    assert said["sentence"] == (
        "Widen the traffic from 5.0% to 25.0%: step 1 of 2 has its time and its units, and no guardrail is harmed."
    )


@pytest.mark.parametrize(
    ("cut_off", "units", "sentence"),
    [
        (date(2026, 1, 6), 1_000, "day 2 of 3d at this step, and the smallest arm has 1,000 of 500 units."),
        (EARLY, 400, "day 3 of 3d at this step, and the smallest arm has 400 of 500 units."),
    ],
)
def test_a_ramp_holds_before_its_time_or_its_units(world, cut_off, units, sentence):
    world.define(**RAMPED)
    said = both(world, cut_off, n=units)
    assert (said["decision"], said["action"], said["reasons"]) == ("continue", "wait", ["ramp_holds"])
    assert said["sentence"] == f"Hold at 5.0% of the traffic: {sentence}"


def test_a_ramp_rolls_back_when_a_guardrail_is_harmed(world):
    world.define(**RAMPED)
    said = both(world, EARLY, errors=14)
    assert (said["decision"], said["action"], said["variant_id"]) == ("stop", "roll_back", "control")
    assert said["sentence"].startswith("Roll back: red harms Errors +40.0% (+")


def test_a_ramp_with_a_faulty_split_waits_for_sound_data(world):
    world.define(**RAMPED)
    world.exposures({"control": 3_000, "red": 2_000})
    said = both(world, EARLY)
    assert (said["action"], said["reasons"]) == ("fix_data", ["invalid", "srm"])


def test_a_ramp_goes_on_from_the_step_in_force_and_ends(world):
    second = "{start: 2026-01-08, traffic: 0.25, weights: {control: 0.5, red: 0.5}}"
    first = RAMPED["phases"].strip("[]")
    world.define(**{**RAMPED, "phases": f"[{first}, {second}]"})
    (row,) = ramp_frame(world.catalogue, date(2026, 1, 9)).to_dicts()
    assert (row["ramp_step"], row["ramp_to"], row["ramp_days"], row["ramp_time_over"]) == (2, 1.0, 2, True)
    # Before the second phase begins, the ramp is on its way and proposes nothing more.
    assert ramp_frame(world.catalogue, EARLY).is_empty()
    third = "{start: 2026-01-10, traffic: 1.0, weights: {control: 0.5, red: 0.5}}"
    world.define(**{**RAMPED, "phases": f"[{first}, {second}, {third}]"})
    assert ramp_frame(world.catalogue, date(2026, 1, 12)).is_empty()


def test_without_automatic_a_decision_is_a_proposal(world):
    world.define(**RAMPED)
    both(world, EARLY)
    assert acts(world, world.judge(EARLY).decisions, EARLY).is_empty()


def test_an_automatic_ramp_widens_at_the_midnight_after_and_moves_nobody(world):
    world.define(**RAMPED, stopping="{automatic: true}")
    both(world, EARLY)
    done = acts(world, world.judge(EARLY).decisions, EARLY)
    assert done.select("act", "traffic").rows() == [("widen_traffic", 0.25)]
    catalogue = in_force(world.catalogue, done)
    before, after = catalogue.experiments["cta"].history
    assert (after.start, after.traffic) == (midnight(9), 0.25)
    assert (after.weights, after.salts) == (before.weights, before.salts)
    # The traffic shards in before are in afterwards, in the same arm.
    assert share_to_shards(before.traffic) < share_to_shards(after.traffic)
    # What has been done is not done again, on that day or the next.
    assert ramp_frame(catalogue, EARLY).is_empty()
    assert ramp_frame(catalogue, date(2026, 1, 8)).is_empty()


def test_an_automatic_stop_serves_the_verdict_and_ends_the_exposures(world):
    world.define(stopping="{automatic: true}")
    arm(world, "control", 10)
    arm(world, "red", 9.5)
    done = acts(world, world.judge(HORIZON).decisions, HORIZON)
    assert done.select("act", "variant_id").rows() == [("stop", "control")]
    experiment = in_force(world.catalogue, done).experiments["cta"]
    assert (experiment.status, experiment.shipped) == ("completed", "control")
    assert experiment.pauses[-1].start == midnight(26)
    again = new_acts(
        world.judge(HORIZON).decisions,
        in_force(world.catalogue, done),
        pl.DataFrame(schema=RAMPS),
        NO_BANDITS,
    )
    assert again.is_empty()


def test_an_automatic_winner_is_served_to_everybody(world):
    world.define(stopping="{automatic: true}")
    arm(world, "control", 10)
    arm(world, "red", 10.5)
    done = acts(world, world.judge(HORIZON).decisions, HORIZON)
    assert in_force(world.catalogue, done).experiments["cta"].shipped == "red"


def test_nothing_acts_through_a_closed_gate(world):
    world.define(stopping="{automatic: true}")
    arm(world, "control", 10)
    arm(world, "red", 10.5)
    world.exposures({"control": 5_000, "red": 4_000})
    assert acts(world, world.judge(HORIZON).decisions, HORIZON).is_empty()


def test_an_automatically_disabled_arm_leaves_every_other_unit_where_it_is(world):
    world.define(
        type="abn",
        variants="[{id: control, control: true}, {id: red}, {id: blue}]",
        stopping="{automatic: true}",
    )
    arm(world, "control", 10)
    arm(world, "red", 10.01)
    arm(world, "blue", 9)
    done = acts(world, world.judge(HORIZON).decisions, HORIZON)
    assert done.select("act", "variant_id").rows() == [("disable_arm", "blue")]
    before, after = in_force(world.catalogue, done).experiments["cta"].history
    old, new = shard_ranges(before.weights), shard_ranges(after.weights)
    assert new["blue"][0] == new["blue"][1]
    for name in ("control", "red"):
        assert new[name][0] <= old[name][0] < old[name][1] <= new[name][1]


@pytest.mark.parametrize("arm_off", ["a", "b", "c"])
def test_the_neighbour_inherits_exactly_the_shards(arm_off):
    weights = {"a": 1 / 3, "b": 1 / 3, "c": 1 / 3}
    old, new = shard_ranges(weights), shard_ranges(without_arm(weights, arm_off))
    for name in set(weights) - {arm_off}:
        assert new[name][0] <= old[name][0] < old[name][1] <= new[name][1]


def test_a_later_edit_wins_over_an_act(world):
    world.define(status="paused", pauses="[{start: 2026-01-06}]", stopping="{automatic: true}")
    act = {"experiment_id": "cta", "cut_off": EARLY, "act": "stop", "variant_id": "red", "traffic": None}
    journal = pl.DataFrame([{**act, "sentence": "Ship red."}], schema=dict(ACTS))
    assert in_force(world.catalogue, journal).experiments["cta"].status == "paused"


NO_BANDITS = pl.DataFrame(schema=dict(ALLOCATIONS))
RAMPS = {"experiment_id": pl.String, "ramp_to": pl.Float64}
