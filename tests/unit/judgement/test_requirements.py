"""What a test asks of its data stands on its row, and a row that lacks it decides nothing."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest
from scipy import stats

from fairsplit.analysis.judgement import violations
from fairsplit.analysis.judgement.rows import REQUIREMENT
from fairsplit.analysis.judgement.wording import REQUIREMENTS, requirement_text

MILLION = 1_000_000
EARLY = date(2026, 1, 18)
DAILY = "{method: always_valid, min_sample: 2}"


def judged(world, cut_off: date = date(2026, 1, 25)):
    found = world.judge(cut_off)
    assert violations(found.comparisons, found.validity, found.decisions).is_empty()
    row = found.comparisons.filter(pl.col("variant_id") == "red", pl.col("cut_off") == cut_off).to_dicts()[0]
    return row, found.decisions.to_dicts()[0]


def asked(row: dict, name: str) -> dict:
    return next(one for one in row["requirements"] if one["requirement"] == name)


def money(values: np.ndarray) -> np.ndarray:
    return np.round(values * MILLION)


def test_three_units_an_arm_never_ship(world):
    """Cases skew-and-adequacy-unshown and skewed-revenue-unequal-split: p is 1e-7, and nothing is decided."""
    world.define(plan="{min_sample: 2}")
    world.values("control", money(np.array([1.0, 1.1, 1.2])))
    world.values("red", money(np.array([9.0, 9.1, 9.2])))
    row, decision = judged(world)
    assert row["p_value"] < 1e-6
    assert row["requirements_met"] is False
    assert asked(row, "units_per_arm") == {
        "requirement": "units_per_arm",
        "rule": "at least",
        "required": 30.0,
        "observed": 3.0,
        "met": False,
    }
    assert (decision["decision"], decision["action"]) == ("inconclusive", "extend")
    assert decision["reasons"] == ["requirements_unmet"]
    assert decision["sentence"] == (
        "Nothing is decided: red differs in Revenue, but its test asks for at least 30 units in each arm (it has 3)."
    )


def test_before_its_end_such_a_plan_runs_on(world):
    world.define(plan=DAILY, stopping="{whole_weeks: false}")
    for variant, mean in (("control", 1.0), ("red", 9.0)):
        world.values(variant, money(mean + 0.01 * np.arange(8)), cut_off=EARLY)
    row, decision = judged(world, EARLY)
    assert row["seq_crossed"] is True
    assert (decision["action"], decision["reasons"]) == ("wait", ["requirements_unmet"])
    assert decision["sentence"].startswith("Keep running: red differs in Revenue, but its test asks for")


def buyers(rng: np.random.Generator, units: int, factor: float = 1.0) -> np.ndarray:
    """3 % buy, for log-normal(3, 1.2) amounts."""
    return money((rng.random(units) < 0.03) * rng.lognormal(3, 1.2, units) * factor)


@pytest.mark.parametrize(("units", "sound"), [((9_000, 1_000), False), ((5_000, 5_000), True)])
def test_case_skewed_revenue_unequal_split(world, units: tuple[int, int], sound: bool):
    world.define()
    rng = np.random.default_rng(4)
    for variant, n, factor in (("control", units[0], 1.0), ("red", units[1], 0.2)):
        world.values(variant, buyers(rng, n, factor))
    row, decision = judged(world)
    found = asked(row, "skewness")
    assert (found["rule"], found["met"], row["requirements_met"]) == ("at most", sound, sound)
    assert found["required"] == pytest.approx(355**-0.5)
    assert decision["action"] == ("roll_back" if sound else "extend")
    if not sound:
        # Two moments bound the skewness of values that are not negative from below; the true one is 50.
        assert 0.05 < found["observed"] < 50 * (1 / 1_000 - 1 / 9_000) / (1 / 1_000 + 1 / 9_000) ** 0.5


def test_the_least_skewness_is_that_of_two_values(world):
    """Zeros and one other value have no more skewness than their mean and variance say."""
    world.define()
    control, red = np.repeat([0.0, 5.0], [1_900, 100]), np.repeat([0.0, 5.0], [380, 20])
    world.values("control", money(control))
    world.values("red", money(red))
    row, _ = judged(world)
    skewness = stats.skew(np.concatenate([control, red]))
    expected = skewness * (1 / 400 - 1 / 2_000) / (1 / 400 + 1 / 2_000) ** 0.5
    assert asked(row, "skewness")["observed"] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_rate_per_view_is_as_skewed_as_its_events(world, sign):
    """Kind bandit-empty-arm in ratios: clicks per view, with one view a unit, have the skewness of the clicks."""
    world.define(metrics="{primary: [ctr]}")
    control, red = np.repeat([0, 1], [18_600, 100]), np.zeros(400, dtype=int)
    for variant, y in (("control", control), ("red", red)):
        world.values(variant, sign * y, metric="ctr", d=np.ones(y.size, dtype=int))
    row, decision = judged(world)
    skewness = stats.skew(np.concatenate([control, red]))
    expected = skewness * (1 / 400 - 1 / 18_700) / (1 / 400 + 1 / 18_700) ** 0.5
    assert asked(row, "skewness")["observed"] == pytest.approx(expected, rel=1e-9)
    assert row["p_value"] < 1e-9
    assert (decision["action"], decision["reasons"]) == ("extend", ["requirements_unmet"])


def test_a_ratio_with_few_denominators_is_as_skewed_as_its_values(world, rng):
    """Denominators of 0 and 1, and values of one sign: the bound is that of the values where there is one."""
    world.define(metrics="{primary: [ctr]}")
    d = {"control": np.repeat([0, 1], [4_000, 4_000]), "red": np.repeat([0, 1], [500, 500])}
    paid = {variant: one * np.where(rng.random(one.size) < 0.1, 7, 0) for variant, one in d.items()}
    for variant, y in paid.items():
        world.values(variant, y, metric="ctr", d=d[variant])
    row, _ = judged(world)
    values = np.concatenate([paid[variant][d[variant] == 1] for variant in d])
    expected = stats.skew(values) * (1 / 500 - 1 / 4_000) / (1 / 500 + 1 / 4_000) ** 0.5
    assert asked(row, "skewness")["observed"] == pytest.approx(expected, rel=1e-9)


def test_values_below_zero_are_as_skewed_as_their_opposites(world):
    """Amounts of one sign: what two moments say of them does not depend on which."""
    world.define()
    world.values("control", money(np.tile([-12.0, -8.0], 2_000)))
    world.values("red", money(np.tile([-7.0, -3.0], 200)))
    row, decision = judged(world)
    assert asked(row, "skewness")["observed"] == 0.0
    assert (row["requirements_met"], decision["action"]) == (True, "ship")


def test_case_ratio_with_rare_denominator(world):
    """1,500 units an arm of which six have a denominator: the six are counted, and nothing is decided by them."""
    world.define(metrics="{primary: [ctr]}")
    for variant, clicks in (("control", 1), ("red", 8)):
        d = np.repeat([0, 10], [1_494, 6])
        world.values(variant, np.where(d > 0, clicks + np.arange(1_500) % 2, 0), metric="ctr", d=d)
    row, decision = judged(world)
    assert asked(row, "units_with_denominator") == {
        "requirement": "units_with_denominator",
        "rule": "at least",
        "required": 100.0,
        "observed": 6.0,
        "met": False,
    }
    assert row["p_value"] < 1e-6
    assert (decision["action"], decision["reasons"]) == ("extend", ["requirements_unmet"])


def test_one_event_in_the_small_arm_never_ships(world):
    """Case rare-events-unequal-split: p is .010 by Fisher, and one event is one event."""
    world.define(metrics="{primary: [conversion]}", plan="{min_sample: 2}")
    world.values("control", np.zeros(9_900), metric="conversion")
    world.values("red", np.repeat([0, 1], [99, 1]), metric="conversion")
    row, decision = judged(world)
    assert (row["method"], row["p_value"]) == ("fisher", pytest.approx(0.010))
    assert (asked(row, "events")["observed"], row["requirements_met"]) == (1.0, False)
    assert decision["reasons"] == ["requirements_unmet"]


def test_harm_that_lacks_its_requirements_holds_a_winner_back(world):
    """A guardrail of three units an arm neither rolls back nor clears."""
    world.define(metrics="{primary: [revenue], guardrails: [errors]}", plan="{min_sample: 2}")
    for variant, mean, errors in (("control", 10, 5), ("red", 11, 50)):
        world.values(variant, money(np.tile([mean - 1.0, mean + 1.0], 500)))
        world.values(variant, errors + np.array([0, 1, 2, 1]), metric="errors")
    found = world.judge()
    guardrail = found.comparisons.filter(metric="errors", variant_id="red").to_dicts()[0]
    assert (guardrail["seq_crossed"], guardrail["requirements_met"]) == (True, False)
    assert found.decisions["reasons"].to_list() == [["guardrail_not_cleared"]]


def test_every_test_states_what_it_asks(world):
    """Case skew-and-adequacy-unshown: for each method the row lists what is required and what is there."""
    rng = np.random.default_rng(2)
    world.define(metrics="{primary: [revenue, conversion, ctr, revenue_rank, revenue_ks, revenue_p90]}")
    for variant in ("control", "red"):
        world.values(variant, money(rng.gamma(2, 3, 400)))
        world.values(variant, rng.random(400) < 0.3, metric="conversion")
        d = rng.poisson(3, 400) + 1
        world.values(variant, rng.binomial(d, 0.4), metric="ctr", d=d)
        for name in ("revenue_rank", "revenue_ks", "revenue_p90"):
            world.histogram(variant, rng.gamma(2, 3, 400).round(2), name)
    found = world.judge(value_histograms=pl.DataFrame(world.histograms))
    rows = found.comparisons.filter(pl.col("variant_id") == "red")
    assert rows.schema["requirements"] == REQUIREMENT
    assert rows.select(pl.col("requirements").list.len().min()).item() >= 1
    assert rows["requirements_met"].all()
    listed = rows.explode("requirements").unnest("requirements")
    least = listed.filter(rule="at least")
    assert (least["met"] == (least["observed"] >= least["required"])).all()
    assert set(listed["requirement"]) <= set(REQUIREMENTS)
    assert found.comparisons.filter(variant_id="control")["requirements"].null_count() == 6


@pytest.mark.parametrize("name", sorted(REQUIREMENTS))
def test_each_has_words(name: str):
    text = requirement_text({"requirement": name, "rule": "at most", "required": 0.053, "observed": 1234.0})
    assert text.startswith("at most 0.053 ")
    assert text.endswith("(it has 1,234)")


@pytest.mark.parametrize("role", ["secondary", "guardrails"])
def test_harm_that_the_data_cannot_show_is_neither_told_nor_cleared(world, role, rng):
    """Kind secondary-harm-unsaid beside bandit-empty-arm: no clicks in 400 units are no harm (Fisher .27)."""
    world.define(metrics=f"{{primary: [revenue], {role}: [ctr]}}")
    clicks = {"control": np.repeat([0, 1], [39_800, 200]), "red": np.zeros(400, dtype=int)}
    for (variant, y), mean in zip(clicks.items(), (10, 11), strict=True):
        world.values(variant, money(rng.normal(mean, 2, y.size)))
        world.values(variant, y, metric="ctr", d=np.ones(y.size, dtype=int))
    found = world.judge()
    (row,) = found.comparisons.filter(variant_id="red", metric="ctr").to_dicts()
    assert row["finding"] == ("unclear" if role == "secondary" else "no_harm_seen")
    (decision,) = found.decisions.to_dicts()
    assert "Ctr" not in decision["sentence"]
    assert decision["action"] == ("ship" if role == "secondary" else "extend")
