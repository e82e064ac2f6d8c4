"""After a sequential stop the estimate is corrected: by a numerical solution of its own, and in simulated plans."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest
from scipy import optimize, stats

DAYS = (date(2026, 1, 11), date(2026, 1, 18))


def money(values: np.ndarray) -> list[int]:
    return [round(value * 1_000_000) for value in values]


def two_looks(world, rng, shift: float, **changes) -> pl.DataFrame:
    """A plan over two weeks that is looked at after each; 2,000 units an arm and week."""
    plan = "{method: group_sequential, looks: 2}"
    world.define(plan=plan, end="2026-01-19", metrics="{primary: [revenue]}", **changes)
    values = {"control": rng.normal(10, 5, 4_000), "red": rng.normal(10 + shift, 5, 4_000)}
    for day, units in zip(DAYS, (2_000, 4_000), strict=True):
        for variant, its in values.items():
            world.values(variant, money(its[:units]), cut_off=day)
    return world.judge(DAYS[-1]).comparisons.filter(variant_id="red").sort("cut_off")


def test_the_estimate_of_a_plan_without_a_stop_is_the_plain_one(world, rng):
    rows = two_looks(world, rng, 0.0)
    assert rows["seq_crossed"].to_list() == [False, False]
    assert rows["corrected_lift"].to_list() == [None, None]


def solved(z: float, first: float, root: float, target: float) -> float:
    """The drift under which stopping as high as this, or higher, has the probability `target`.

    A stop at the first of two looks counts as higher; Z1 and Z2 are normal with correlation root(1/2).
    """
    # Of Z1 and -Z2, since the distribution function looks down and the test up.
    flipped = stats.multivariate_normal(cov=[[1.0, -(0.5**0.5)], [-(0.5**0.5), 1.0]])

    def excess(effect: float) -> float:
        early, late = effect * root * 0.5**0.5, effect * root
        stopped = stats.norm.sf(first - early)
        between = flipped.cdf([first - early, -(z - late)], lower_limit=[-first - early, -40.0])
        return float(stopped + between - target)

    return optimize.brentq(excess, -5.0, 5.0, xtol=1e-10)


@pytest.mark.parametrize(("direction", "sign"), [("revenue", 1.0), ("losses", -1.0), ("revenue", -1.0)])
def test_a_stop_at_the_second_look_is_drawn_in(world, rng, direction, sign):
    plan = "{method: group_sequential, looks: 2}"
    world.define(plan=plan, end="2026-01-19", metrics=f"{{primary: [{direction}]}}")
    values = {"control": rng.normal(10, 5, 4_000), "red": rng.normal(10 + sign * 0.31, 5, 4_000)}
    for day, units in zip(DAYS, (2_000, 4_000), strict=True):
        for variant, its in values.items():
            world.values(variant, money(its[:units]), cut_off=day, metric=direction)
    rows = world.judge(DAYS[-1]).comparisons.filter(variant_id="red").sort("cut_off")
    assert rows["seq_crossed"].to_list() == [False, True]
    assert rows["corrected_lift"][0] is None
    row = rows.row(1, named=True)
    z = abs(row["lift_abs"]) / row["lift_std_error"]
    bound, root = rows["seq_bound"][0], 1 / row["lift_std_error"]
    assert row["corrected_lift"] == pytest.approx(sign * solved(z, bound, root, 0.5), rel=2e-3)
    assert abs(row["corrected_lift"]) < abs(row["lift_abs"])
    ends = sorted(sign * solved(z, bound, root, tail) for tail in (0.025, 0.975))
    assert (row["corrected_low"], row["corrected_high"]) == pytest.approx(ends, rel=5e-3)


def test_a_stop_keeps_its_estimate_on_the_days_after_it(world, rng):
    rows = two_looks(world, rng, 1.0)
    assert rows["seq_crossed"].to_list() == [True, True]
    # The first look has no look before it; t is read as a normal deviate, which is 0.2 % at these 4,000 units.
    assert rows["corrected_lift"][0] == pytest.approx(rows["lift_abs"][0], rel=5e-3)
    assert rows["corrected_lift"][1] == rows["corrected_lift"][0]
    assert rows["corrected_p_value"][0] < 1e-6


@pytest.mark.parametrize("method", ["fixed", "always_valid", "sprt", "bayesian"])
def test_other_plans_have_no_corrected_estimate(world, rng, method):
    world.define(
        plan=f"{{method: {method}}}",
        end="2026-01-19",
        metrics="{primary: [{metric: revenue, minimum_effect: 0.05}]}",
    )
    for variant, mean in (("control", 10), ("red", 12)):
        world.values(variant, money(rng.normal(mean, 5, 2_000)))
    assert world.judge().comparisons["corrected_lift"].null_count() == 2
