"""A metric whose sums do not fit 128 bits has a status and a reason, never a figure."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest

from fairsplit.analysis.judgement import violations
from fairsplit.analysis.scorecards.wording import REASONS

FIRST, LAST = date(2026, 1, 24), date(2026, 1, 25)
VALUES = {"control": [1, 2, 3, 5] * 30, "red": [2, 3, 4, 6] * 30}


@pytest.fixture
def beyond(world):
    """Two experiments, each on two metrics; one metric of one has no sums at the newest cut-off."""
    for name in ("cta", "other"):
        world.define(name, metrics="{primary: [revenue], secondary: [losses]}")
        for metric in ("revenue", "losses"):
            for cut_off in (FIRST, LAST):
                for arm, values in VALUES.items():
                    world.values(arm, values, metric=metric, cut_off=cut_off, experiment=name)
    for row in world.statistics:
        if (row["experiment_id"], row["metric"], row["cut_off"]) == ("cta", "revenue", LAST):
            row |= {key: None for key in row if key.startswith("sum_")}
    return world


def test_the_metric_says_so_and_has_no_number(beyond):
    judged = beyond.judge(LAST)
    rows = judged.comparisons.filter(cut_off=LAST, experiment_id="cta", metric="revenue")
    assert rows.height == 2
    for row in rows.iter_rows(named=True):
        assert (row["n"], row["status"], row["reason"]) == (120, "not_computed", "sums_out_of_range")
        assert row["reason"] in REASONS
        assert not [
            name
            for name in ("total", "mean", "variance", "lift_abs", "lift_rel", "p_value", "prob_beat", "power")
            if row[name] is not None
        ]
    assert violations(judged.comparisons, judged.validity, judged.decisions).is_empty()
    decision = judged.decisions.filter(experiment_id="cta").row(0, named=True)
    assert decision["decision"] != "ship"


def test_everything_else_is_what_it_is_without_it(beyond):
    judged = beyond.judge(LAST).comparisons
    for row in beyond.statistics:
        if row["experiment_id"] == "cta" and row["metric"] == "revenue" and row["cut_off"] == LAST:
            values = VALUES[row["variant_id"]]
            row |= {"sum_y": sum(values), "sum_yy": sum(value**2 for value in values)}
    sound = beyond.judge(LAST).comparisons
    kept = ~(
        (pl.col("experiment_id") == "cta") & (pl.col("metric") == "revenue") & (pl.col("cut_off") == LAST)
    )
    assert judged.filter(kept & (pl.col("metric") == "revenue")).equals(
        sound.filter(kept & (pl.col("metric") == "revenue"))
    )
    other = kept & (pl.col("experiment_id") == "other")
    assert judged.filter(other).equals(sound.filter(other))


def test_the_largest_sums_that_are_kept_are_compared(world):
    """5e37 is near the end of 128 bits; centring multiplies it by the units."""
    world.define()
    for arm, extra in (("control", 0), ("red", 10**6)):
        world.values(arm, [7 * 10**18 - extra, *range(500)])
    rows = world.judge().comparisons
    assert rows["reason"].to_list() == [None, None]
    mean = (7 * 10**18 + sum(range(500))) / 501 / 10**6
    assert rows.filter(variant_id="control")["mean"].to_list() == [pytest.approx(mean, rel=1e-15)]
