from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy import stats


def red(world, **more) -> dict:
    judged = world.judge(**more)
    return judged.comparisons.filter(pl.col("variant_id") == "red").to_dicts()[0]


def both(world, rng, name: str, size: int = 400):
    world.define(metrics=f"{{primary: [{name}]}}")
    control = rng.lognormal(1, 1, size).round(2)
    treated = rng.lognormal(1.2, 1, size).round(2)
    world.histogram("control", control, name)
    world.histogram("red", treated, name)
    return control, treated


def test_mann_whitney_is_scipys_without_continuity_correction(world, rng):
    control, treated = both(world, rng, "revenue_rank")
    row = red(world, value_histograms=pl.DataFrame(world.histograms))
    expected = stats.mannwhitneyu(treated, control, method="asymptotic", use_continuity=False)
    assert row["method"] == "mann_whitney"
    assert row["p_value"] == pytest.approx(expected.pvalue, rel=1e-9)
    wins = np.sign(treated[:, None] - control[None, :]).mean()
    assert row["lift_abs"] == pytest.approx(wins, rel=1e-9)
    assert (row["lift_abs_low"] > 0) == (row["p_value"] < 0.05)
    assert row["lift_rel"] is None


def test_kolmogorov_smirnov_is_scipys(world, rng):
    control, treated = both(world, rng, "revenue_ks")
    row = red(world, value_histograms=pl.DataFrame(world.histograms))
    expected = stats.ks_2samp(control, treated)
    assert row["method"] == "kolmogorov_smirnov"
    assert row["statistic"] == pytest.approx(expected.statistic, rel=1e-9)
    # Exact in both: case ks-exact-middle-sizes asks for it well beyond 10,000 pairs of values.
    assert expected.pvalue == stats.ks_2samp(control, treated, method="exact").pvalue
    assert row["p_value"] == pytest.approx(expected.pvalue, rel=1e-7)
    assert (row["prob_beat"], row["lift_std_error"]) == (None, None)


def test_percentiles_are_those_of_the_unit_values(world, rng):
    control, treated = both(world, rng, "revenue_p90", 2_000)
    row = red(world, value_histograms=pl.DataFrame(world.histograms))
    assert row["method"] == "percentile"
    assert row["mean"] == pytest.approx(np.quantile(treated, 0.9), rel=0.01)
    assert row["lift_abs"] == pytest.approx(np.quantile(treated, 0.9) - np.quantile(control, 0.9), rel=0.05)
    # The asymptotic standard error p (1 - p) / (n f²) with the true density at the quantile.
    quantile = stats.lognorm.ppf(0.9, 1, scale=np.e**1.2)
    density = stats.lognorm.pdf(quantile, 1, scale=np.e**1.2)
    assert row["std_error"] == pytest.approx(np.sqrt(0.09 / 2_000) / density, rel=0.3)


def test_without_its_histogram_a_metric_says_so(world, rng):
    both(world, rng, "revenue_p90")
    row = red(world)
    assert (row["status"], row["reason"], row["p_value"]) == ("not_computed", "histogram_missing", None)


def test_a_winner_by_ranks_is_named(world, rng):
    both(world, rng, "revenue_rank", 3_000)
    decision = world.judge(value_histograms=pl.DataFrame(world.histograms)).decisions.to_dicts()[0]
    assert decision["action"] == "ship"
    assert decision["sentence"].startswith("Ship red: Revenue rank higher in 5")
