"""What one experiment cannot compute never blocks another."""

from __future__ import annotations

import polars as pl

from fairsplit.analysis.judgement import violations
from fairsplit.analysis.judgement.comparisons import contained


def test_a_ratio_without_denominators_says_so_and_breaks_no_invariant(world):
    world.define("broken", metrics="{primary: [ctr]}")
    world.define("sound")
    for variant, denominators in (("control", [0, 0, 0, 0]), ("red", [1, 2, 2, 1])):
        world.values(variant, [1, 0, 2, 1], metric="ctr", d=denominators, experiment="broken")
        world.values(variant, [1, 2, 3, 4], experiment="sound")
    judged = world.judge()
    assert violations(judged.comparisons, judged.validity, judged.decisions).is_empty()
    rows = {
        (row["experiment_id"], row["variant_id"]): row for row in judged.comparisons.iter_rows(named=True)
    }
    control = rows["broken", "control"]
    assert (control["mean"], control["status"], control["reason"]) == (None, "undefined", "zero_denominator")
    assert rows["broken", "red"]["p_value"] is None
    assert rows["broken", "red"]["reason"] == "zero_denominator"
    assert rows["sound", "red"]["status"] == "ok"


def test_a_number_out_of_range_is_a_status_on_its_own_row(world):
    world.define()
    world.values("control", [1, 2, 3])
    world.values("red", [1, 2, 4])
    rows = world.judge().comparisons
    is_red = pl.col("variant_id") == "red"
    infinite = rows.with_columns(statistic=pl.when(is_red).then(pl.lit(float("inf"))).otherwise("statistic"))
    done = {row["variant_id"]: row for row in contained(infinite).iter_rows(named=True)}
    assert (done["red"]["status"], done["red"]["reason"]) == ("not_computed", "not_finite")
    assert done["red"]["n"] == 3
    assert done["red"]["p_value"] is None
    assert done["control"]["status"] == "ok"
