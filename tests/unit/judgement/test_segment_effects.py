"""Who responds: heterogeneity between a segment's levels, and effects drawn in towards each other."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy import integrate, stats
from statsmodels.stats.meta_analysis import combine_effects
from statsmodels.stats.multitest import multipletests

SHIFTS = {"DE": 0.4, "FR": 0.5, "US": 2.4, "JP": 0.3}


def money(values: np.ndarray) -> list[int]:
    return [round(value * 1_000_000) for value in values]


@pytest.fixture
def segmented(world, rng):
    world.define(segments="[country, platform]", metrics="{primary: [revenue], secondary: [losses]}")
    parts = {("country", level): shift for level, shift in SHIFTS.items()}
    parts |= {("platform", level): 0.9 for level in ("ios", "web")}
    for place, shift in parts.items():
        for metric in ("revenue", "losses"):
            for variant, more in (("control", 0.0), ("red", shift)):
                values = rng.normal(10 + more, 5, 600)
                world.values(variant, money(values), metric=metric, segment=place)
    for variant in ("control", "red"):
        for metric in ("revenue", "losses"):
            world.values(variant, money(rng.normal(10, 5, 2_400)), metric=metric)
    return world


def levels(world, segment: str) -> pl.DataFrame:
    return world.judge().comparisons.filter(variant_id="red", segment=segment, metric="revenue")


def test_heterogeneity_is_cochrans_between_the_levels(segmented):
    found = {name: levels(segmented, name) for name in ("country", "platform")}
    p = {}
    for name, rows in found.items():
        y, v = rows["lift_abs"].to_numpy(), rows["lift_std_error"].to_numpy() ** 2
        expected = combine_effects(y, v).q
        p[name] = stats.chi2.sf(expected, y.size - 1)
        assert rows["heterogeneity_statistic"].to_list() == pytest.approx([expected] * y.size, rel=1e-9)
        assert rows["heterogeneity_df"].to_list() == [y.size - 1] * y.size
        assert rows["heterogeneity_p_value"].to_list() == pytest.approx([p[name]] * y.size, rel=1e-9)
    adjusted = dict(zip(p, multipletests(list(p.values()), method="holm")[1], strict=True))
    for name, rows in found.items():
        assert rows["heterogeneity_p_adjusted"][0] == pytest.approx(adjusted[name], rel=1e-9)
    assert adjusted["country"] < 1e-6
    assert adjusted["platform"] > 0.01


def test_effects_are_drawn_in_by_what_chance_would_spread_them(segmented):
    """The posterior mean under a uniform prior of the shrinkage, by numerical integration."""
    rows = levels(segmented, "country")
    y, v = rows["lift_abs"].to_numpy(), rows["lift_std_error"].to_numpy() ** 2
    typical = y.size / (1 / v).sum()

    def given(share: float) -> tuple[float, np.ndarray]:
        tau2 = typical * (1 - share) / share
        w = 1 / (v + tau2)
        mean = (w * y).sum() / w.sum()
        likelihood = np.exp(-0.5 * ((w * (y - mean) ** 2).sum() - np.log(w).sum() + np.log(w.sum())))
        return likelihood, (y - v * w * (y - mean))

    whole = integrate.quad(lambda share: given(share)[0], 0, 1, epsabs=0, epsrel=1e-10)[0]
    for place, effect in enumerate(rows["shrunken_lift"]):

        def part(share: float, place: int = place) -> float:
            likelihood, effects = given(share)
            return likelihood * effects[place]

        assert effect == pytest.approx(integrate.quad(part, 0, 1, epsrel=1e-10)[0] / whole, rel=1e-6)
    largest = int(np.argmax(y))
    assert y.mean() < rows["shrunken_lift"][largest] < y[largest]
    assert rows["shrunken_low"][largest] < rows["shrunken_lift"][largest] < rows["shrunken_high"][largest]


def test_two_levels_are_tested_and_not_drawn_in_and_other_roles_are_neither(segmented):
    two = levels(segmented, "platform")
    assert two["heterogeneity_p_value"].null_count() == 0
    assert two["shrunken_lift"].null_count() == two.height
    rows = segmented.judge().comparisons
    rest = rows.filter(
        (pl.col("segment") == "all") | (pl.col("metric") != "revenue") | (pl.col("variant_id") == "control")
    )
    names = ["heterogeneity_statistic", "heterogeneity_p_adjusted", "shrunken_lift", "shrunken_low"]
    assert rest.select(pl.col(names).is_not_null().sum()).row(0) == (0, 0, 0, 0)


def test_a_level_whose_data_decide_nothing_is_left_out(segmented, rng):
    """Three units an arm would draw the others towards chance."""
    for variant in ("control", "red"):
        segmented.values(variant, money(rng.normal(900, 1, 3)), segment=("country", "AQ"))
    rows = levels(segmented, "country")
    assert rows.filter(segment_level="AQ")["shrunken_lift"].to_list() == [None]
    assert rows.filter(segment_level="AQ")["heterogeneity_df"].to_list() == [None]
    assert rows.filter(segment_level="DE")["heterogeneity_df"].to_list() == [3]
