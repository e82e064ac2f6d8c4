"""Novelty, freshness, completeness, overlap, and where a faulty split comes from."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from scipy import stats

CUT_OFF = date(2026, 1, 16)
START = date(2026, 1, 5)


def checks(validity: pl.DataFrame, family: str) -> list[dict]:
    return validity.filter(pl.col("check").str.starts_with(family)).to_dicts()


def days_of(world, *, faulty_from: int, platform: str = "android", share: float = 0.7) -> None:
    """A thousand units a day, arm and platform; one platform loses units of red from a day on."""
    for offset in range(12):
        day = START + timedelta(days=offset)
        total = {"control": 0, "red": 0}
        for name in ("web", "ios", "android"):
            lost = name == platform and offset >= faulty_from
            counts = {"control": 1_000, "red": round(1_000 * share) if lost else 1_000}
            world.exposures(counts, day=day, segment=("platform", name))
            total = {arm: total[arm] + counts[arm] for arm in total}
        world.exposures(total, day=day)


def test_the_diagnosis_names_the_platform_and_its_first_day(valued):
    days_of(valued, faulty_from=6)
    judged = valued.judge(CUT_OFF)
    first = next(row for row in checks(judged.validity, "srm_diagnosis") if row["segment"] != "all")
    assert (first["segment"], first["segment_level"], first["status"]) == ("platform", "android", "warn")
    assert first["observed"] == "6,000 / 4,200"
    assert first["expected"] == "5,100 / 5,100"
    assert first["statistic"] == pytest.approx(1.0)
    # 6 days of 1,700 units out of 12 · 6,000 - 6 · 300 = 70,200.
    where = "100.0% of the imbalance comes from platform = android from 2026-01-11 on (14.5% of the units)."
    assert first["sentence"] == where
    assert judged.decisions["sentence"][0].endswith(where)


def test_a_fault_everywhere_is_not_blamed_on_a_platform(valued):
    for offset in range(4):
        day = START + timedelta(days=offset)
        for name in ("web", "ios"):
            valued.exposures({"control": 1_000, "red": 800}, day=day, segment=("platform", name))
        valued.exposures({"control": 2_000, "red": 1_600}, day=day)
    found = checks(valued.judge(CUT_OFF).validity, "srm_diagnosis")
    assert [row["status"] for row in found] == ["not_applicable"]
    assert found[0]["sentence"].startswith("No part of the traffic and no step explains more")


def test_the_diagnosis_names_the_sdk_version(valued):
    valued.exposures({"control": 10_000, "red": 9_000})
    cell = {"experiment_id": "cta", "assigned_day": date(2026, 1, 6), "phase": 0, "platform": "web"}
    audits = pl.DataFrame(
        [
            {**cell, "sdk_version": version, "variant_id": arm, "units": units, "mismatched": 0}
            for version, arm, units in (
                ("1.0", "control", 8_000),
                ("1.0", "red", 8_000),
                ("2.0", "control", 2_000),
                ("2.0", "red", 1_000),
            )
        ]
    )
    found = checks(valued.judge(CUT_OFF, assignment_audits=audits).validity, "srm_diagnosis")
    assert [(row["segment"], row["segment_level"]) for row in found] == [("sdk_version", "2.0")]


def test_the_diagnosis_names_the_step_that_took_the_units(valued):
    valued.exposures({"control": 10_000, "red": 9_000})
    losses = pl.DataFrame(
        {
            "experiment_id": ["cta", "cta", "cta"],
            "variant_id": ["control", "red", "red"],
            "step": ["filter:bots", "filter:bots", "outside_period"],
            "units": [100, 1_100, 30],
            "event_day": [date(2026, 1, 6)] * 3,
        }
    )
    found = checks(valued.judge(CUT_OFF, losses=losses).validity, "srm_diagnosis")
    assert [(row["segment"], row["segment_level"]) for row in found] == [("step", "filter:bots")]
    assert found[0]["observed"] == "100 / 1,100"
    assert "comes from the units lost at step filter:bots" in found[0]["sentence"]


def test_a_sound_split_has_no_diagnosis(valued):
    valued.exposures({"control": 1_000, "red": 1_000})
    assert checks(valued.judge(CUT_OFF).validity, "srm_diagnosis") == []


def daily_effects(world, rng, effects: list[float]) -> None:
    """Units that enter day by day with an effect of that day; statistics are cumulative."""
    so_far = {"control": np.empty(0), "red": np.empty(0)}
    for offset, effect in enumerate(effects):
        for arm, mean in (("control", 10.0), ("red", 10.0 + effect)):
            so_far[arm] = np.append(so_far[arm], np.round(rng.normal(mean, 1, 200) * 1e6))
            world.values(arm, so_far[arm], cut_off=START + timedelta(days=offset))


@pytest.mark.parametrize(
    ("effects", "status"), [([1.0 - 0.1 * day for day in range(10)], "warn"), ([0.5] * 10, "pass")]
)
def test_an_effect_that_fades_is_novelty(world, rng, effects, status):
    world.define()
    daily_effects(world, rng, effects)
    found = checks(world.judge(date(2026, 1, 14)).validity, "novelty:revenue")
    assert [row["status"] for row in found] == [status]
    if status == "warn":
        assert found[0]["reason"] == "effect_changes"
        assert float(found[0]["expected"]) == pytest.approx(1.0, abs=0.2)
        assert float(found[0]["observed"]) == pytest.approx(0.1, abs=0.2)
        assert "more than chance gives: novelty, or learning (p =" in found[0]["sentence"]


def test_a_week_is_too_short_to_see_a_trend(world, rng):
    world.define()
    daily_effects(world, rng, [1.0, 0.8, 0.6, 0.4, 0.2, 0.0, -0.2])
    assert checks(world.judge(date(2026, 1, 11)).validity, "novelty") == []


@pytest.mark.parametrize(
    ("last", "status", "sentence"),
    [
        (date(2026, 1, 15), "pass", "The newest unit came on 2026-01-15."),
        (date(2026, 1, 13), "warn", "No new unit for 3 days: the last came on 2026-01-13."),
        (None, "warn", "No unit has been exposed in the 11 days since the start."),
    ],
)
def test_a_running_experiment_that_falls_silent_is_told(valued, last, status, sentence):
    if last:
        valued.exposures({"control": 10, "red": 10}, day=last)
    (found,) = checks(valued.judge(CUT_OFF).validity, "freshness")
    assert (found["status"], found["sentence"]) == (status, sentence)


def test_an_experiment_that_is_over_may_be_silent(valued):
    valued.exposures({"control": 10, "red": 10})
    assert checks(valued.judge(date(2026, 1, 25)).validity, "freshness") == []


@pytest.mark.parametrize(("newest", "status"), [(499, "warn"), (500, "pass"), (None, "warn")])
def test_a_day_with_half_the_usual_events_is_incomplete(valued, newest, status):
    counts = [(CUT_OFF - timedelta(days=back), 1_000) for back in range(1, 8)]
    rows = [*counts, *([] if newest is None else [(CUT_OFF, newest)])]
    events = pl.DataFrame(rows, schema=["event_day", "events"], orient="row")
    (found,) = checks(valued.judge(CUT_OFF, event_quality=events).validity, "completeness")
    assert found["status"] == status
    assert found["sentence"].startswith(f"2026-01-16 has {newest or 0} events, a usual day 1,000: ")


def shared(cells: dict[tuple[str, str], int], phase: int = 0) -> list[dict]:
    return [
        {
            "experiment_id": "cta",
            "phase": phase,
            "variant_id": own,
            "other_id": "zoo",
            "other_phase": 0,
            "other_variant": other,
            "day": date(2026, 1, 6),
            "units": units,
        }
        for (own, other), units in cells.items()
    ]


@pytest.mark.parametrize(("corner", "status"), [(1_000, "pass"), (700, "warn")])
def test_a_split_that_depends_on_another_experiment_warns_in_both(valued, corner, status):
    valued.define("zoo")
    table = [[1_000, 1_000], [1_000, corner]]
    cells = {
        (own, other): table[i][j]
        for i, own in enumerate(("control", "red"))
        for j, other in enumerate(("control", "red"))
    }
    found = checks(valued.judge(CUT_OFF, overlaps=pl.DataFrame(shared(cells))).validity, "overlap")
    expected = stats.chi2_contingency(table, correction=False)
    assert [(row["experiment_id"], row["status"]) for row in found] == [("cta", status), ("zoo", status)]
    assert found[0]["statistic"] == pytest.approx(expected.statistic, abs=1e-9)
    assert found[0]["p_value"] == pytest.approx(expected.pvalue, rel=1e-9)
    assert found[0]["sentence"].startswith(f"{3_000 + corner:,} units are also in zoo: the splits ")


def test_changed_weights_are_no_dependence(valued):
    valued.define("zoo")
    early = {
        ("control", "control"): 900,
        ("control", "red"): 900,
        ("red", "control"): 100,
        ("red", "red"): 100,
    }
    late = {("control", "control"): 90, ("control", "red"): 10, ("red", "control"): 90, ("red", "red"): 10}
    overlaps = pl.DataFrame([*shared(early), *shared(late, phase=1)])
    found = checks(valued.judge(CUT_OFF, overlaps=overlaps).validity, "overlap")
    assert found[0]["statistic"] == pytest.approx(0.0, abs=1e-9)
