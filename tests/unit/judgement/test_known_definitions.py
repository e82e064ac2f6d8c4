"""What a result's hash covers: the phases that its cut-off knew, and none that was announced later."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest

from fairsplit.analysis.catalogue.hashing import experiment_hash, result_hash
from fairsplit.analysis.judgement.known import version_frame

FIRST = "{start: 2026-01-05, weights: {control: 0.5, red: 0.5}}"
SECOND = "{start: 2026-01-12, weights: {control: 0.2, red: 0.8}}"
THIRD = "{start: 2026-01-12T18:00:00Z, weights: {control: 0.3, red: 0.7}}"


def known(world, day: date) -> str:
    versions = version_frame(world.catalogue).filter(pl.col("known_from") <= day, pl.col("known_until") > day)
    [found] = versions["definition_hash"]
    return str(found)


@pytest.mark.parametrize("later", [SECOND, f"{SECOND}, {THIRD}"], ids=["one phase", "two of a day"])
def test_a_cut_off_knows_the_phases_before_the_one_that_it_may_open(world, later):
    world.define(phases=f"[{FIRST}]")
    alone = experiment_hash(world.catalogue.experiments["cta"])
    world.define(phases=f"[{FIRST}, {later}]")
    whole = experiment_hash(world.catalogue.experiments["cta"])
    # What the cut-off of the 10th decides is in force from the 12th.
    assert [known(world, date(2026, 1, day)) for day in (1, 10, 11, 30)] == [alone, alone, whole, whole]


def test_a_ramp_is_known_as_a_whole(world):
    phases = f"[{FIRST.replace('}}', '}, traffic: 0.1}')}, {SECOND.replace('}}', '}, traffic: 0.5}')}]"
    world.define(phases=phases, ramp="{steps: [{traffic: 0.9, after: 2d}]}")
    assert known(world, date(2026, 1, 1)) == experiment_hash(world.catalogue.experiments["cta"])


def test_result_rows_carry_the_hash_of_their_cut_off(world):
    metric, days = world.metrics["revenue"], (date(2026, 1, 10), date(2026, 1, 11))
    world.define(phases=f"[{FIRST}]")
    alone = result_hash(world.catalogue.experiments["cta"], metric)
    world.define(phases=f"[{FIRST}, {SECOND}]")
    whole = result_hash(world.catalogue.experiments["cta"], metric)
    for day in days:
        for arm in ("control", "red"):
            world.values(arm, [1.0, 2.0, 3.0], cut_off=day)
    found = [set(world.judge(day).comparisons.filter(cut_off=day)["definition_hash"]) for day in days]
    assert found == [{alone}, {whole}]
