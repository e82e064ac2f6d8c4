"""`correction: dunnett`: the arms of a metric against their control, with intervals that hold together."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest
from scipy import stats

HORIZON = date(2026, 1, 25)


def test_p_values_and_intervals_are_scipys(world):
    """Balanced arms of equal spread: Welch's degrees of freedom differ from the pooled ones by nothing that counts."""
    world.define(
        type="abn",
        variants="[{id: control, control: true}, {id: red}, {id: blue}]",
        plan="{correction: dunnett, method: fixed}",
    )
    samples = {
        variant: mean + np.tile([-1.0, 1.0], 1_000)
        for variant, mean in (("control", 10.0), ("red", 10.07), ("blue", 10.03))
    }
    for variant, values in samples.items():
        world.values(variant, np.round(values * 1_000_000))
    rows = world.judge(HORIZON).comparisons.filter(pl.col("comparison").is_not_null()).sort("variant_id")
    wanted = stats.dunnett(
        samples["blue"], samples["red"], control=samples["control"], rng=np.random.default_rng(1)
    )
    interval = wanted.confidence_interval(0.95)
    assert rows["p_adjusted"].to_list() == pytest.approx(wanted.pvalue, abs=2e-3)
    assert rows["lift_abs_low"].to_list() == pytest.approx(interval.low, abs=5e-4)
    assert rows["lift_abs_high"].to_list() == pytest.approx(interval.high, abs=5e-4)
    assert (rows["p_adjusted"] <= 0.05).to_list() == (rows["lift_abs_low"] > 0).to_list()
    # Less than Bonferroni asks for, more than one comparison alone.
    assert (rows["p_adjusted"] < 2 * rows["p_value"]).all()
    assert (rows["p_adjusted"] > rows["p_value"]).all()


def test_one_arm_needs_no_correction(world):
    world.define(plan="{correction: dunnett, method: fixed}")
    for variant, mean in (("control", 10), ("red", 10.1)):
        world.values(variant, np.round((mean + np.tile([-1.0, 1.0], 500)) * 1_000_000))
    row = world.judge(HORIZON).comparisons.filter(pl.col("comparison").is_not_null()).row(0, named=True)
    assert row["p_adjusted"] == pytest.approx(row["p_value"], rel=1e-6)
    assert row["ci_level"] == pytest.approx(0.95)
