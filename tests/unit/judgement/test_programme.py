"""The programme's figures, by hand and by SciPy."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import stats

from fairsplit.analysis.judgement.programme import Declared, programme_rows, standard_error, time_to

START = dt.date(2026, 1, 1)
CUT_OFF = dt.date(2026, 1, 28)


def declared(name: str, **extra: Any) -> Declared:
    known = {
        "id": name,
        "owner": "a@example.com",
        "area": "checkout",
        "type": "ab",
        "status": "running",
        "started_on": START,
        "ends_on": dt.date(2026, 1, 21),
        "metric": "rate",
        "analysis": "default",
        "read_on": None,
        "shipped": "",
        "control": "control",
        "first_weights": {"control": 0.5, "red": 0.5},
        "last_weights": {"control": 0.5, "red": 0.5},
    }
    return Declared(**(known | extra))


def compared(name: str, lift: float, error: float, finding: str = "unclear", **extra: Any) -> dict[str, Any]:
    reach = stats.norm.isf(0.025)
    return {
        "experiment_id": name,
        "cut_off": CUT_OFF,
        "metric": "rate",
        "role": "primary",
        "segment": "all",
        "analysis": "default",
        "variant_id": "red",
        "comparison": "control",
        "direction": "increase",
        "lift_abs": lift / 10,
        "lift_rel": lift,
        "lift_rel_low": lift - reach * error,
        "lift_rel_high": lift + reach * error,
        "ci_level": 0.95,
        "finding": finding,
        "shown_as": "relative",
        "status": "ok",
    } | extra


def decided(name: str, day: int, action: str, variant: str | None = "red") -> dict[str, Any]:
    return {
        "experiment_id": name,
        "cut_off": START + dt.timedelta(days=day - 1),
        "action": action,
        "variant_id": variant,
    }


def exposed(name: str, arm: str, days: range, units: int) -> list[dict[str, Any]]:
    return [
        {
            "experiment_id": name,
            "segment": "all",
            "exposure_day": START + dt.timedelta(days=day - 1),
            "variant_id": arm,
            "units": units,
        }
        for day in days
    ]


def both(name: str, days: range, units: int = 10) -> list[dict[str, Any]]:
    return exposed(name, "control", days, units) + exposed(name, "red", days, units)


def judged(
    experiments: list[Declared],
    comparisons: list[dict[str, Any]] | None = None,
    decisions: list[dict[str, Any]] | None = None,
    exposures: list[dict[str, Any]] | None = None,
    failed: tuple[str, ...] = (),
) -> tuple[dict[tuple[str, str, str], dict[str, Any]], dict[str, dict[str, Any]]]:
    checks = [{"experiment_id": name, "cut_off": CUT_OFF, "status": "fail"} for name in failed]
    frames = (pl.DataFrame(rows or [], infer_schema_length=None) for rows in (comparisons, decisions, checks))
    figures, lines = programme_rows(
        experiments, *frames, pl.DataFrame(exposures or [], infer_schema_length=None), CUT_OFF
    )
    return (
        {(row["figure"], row["scope"], row["level"]): row for row in figures.to_dicts()},
        {row["experiment_id"]: row for row in lines.to_dicts()},
    )


def test_a_decision_dates_from_the_last_unbroken_run_of_verdicts() -> None:
    figures, lines = judged(
        [declared("a"), declared("b"), declared("c")],
        decisions=[
            decided("a", 5, "ship"),
            decided("a", 6, "wait"),
            decided("a", 7, "ship"),
            decided("a", 8, "ship"),
            decided("b", 2, "roll_back", "control"),
            decided("c", 9, "disable_arm"),
        ],
        exposures=[row for name in "abc" for row in both(name, range(1, 29))],
    )
    assert lines["a"]["decided_on"] == dt.date(2026, 1, 7)
    assert (lines["a"]["days"], lines["a"]["outcome"]) == (7, "won")
    assert (lines["b"]["days"], lines["b"]["outcome"]) == (2, "lost")
    assert lines["c"]["outcome"] is None, "one of several arms is disabled, the question stays open"
    soon = figures["decided_within_48_hours", "all", "all"]
    assert (soon["n"], soon["base"]) == (1, 3)
    # Of c the plan is over (21 January) without a decision.
    in_plan = figures["decided_within_plan", "all", "all"]
    assert (in_plan["n"], in_plan["base"]) == (2, 3)
    won = figures["win_rate", "all", "all"]
    # Wilson by hand: z² = 3.8415, (1 + z²/2) / (2 + z²) ± z / (2 + z²) · sqrt(1·1/2 + z²/4).
    z = stats.norm.isf(0.025)
    middle, half = (1 + z * z / 2) / (2 + z * z), z / (2 + z * z) * math.sqrt(0.5 + z * z / 4)
    assert (won["value"], won["low"], won["high"]) == pytest.approx((0.5, middle - half, middle + half))


def test_a_closed_gate_decides_nothing_and_an_aa_test_takes_no_part() -> None:
    figures, lines = judged(
        [declared("a"), declared("aa", type="aa")],
        [compared("a", 0.1, 0.01, "worse"), compared("aa", 0.1, 0.01, "worse")],
        [decided("a", 9, "ship"), decided("aa", 9, "keep_control")],
        both("a", range(1, 29)) + both("aa", range(1, 29)),
        failed=("a",),
    )
    assert lines["a"]["outcome"] is None
    assert lines["a"]["losing_units"] == 0
    assert lines["a"]["effect"] is lines["aa"]["effect"] is None
    assert figures["win_rate", "all", "all"]["base"] == 0
    assert figures["experiments", "all", "all"]["value"] == 1
    assert figures["losing_exposure", "all", "all"]["base"] == 0


def test_the_median_counts_what_still_runs() -> None:
    """Against SciPy's Kaplan-Meier estimate of the survival function."""
    rng = np.random.default_rng(3)
    days = rng.integers(1, 60, 80)
    over = rng.random(80) < 0.6
    lines = [
        {"days": int(day), "decided_on": START if done else None}
        for day, done in zip(days, over, strict=True)
    ]
    sample = stats.CensoredData.right_censored(days, ~over)
    curve = stats.ecdf(sample).sf
    for share in (0.25, 0.5, 0.75):
        below = curve.quantiles[curve.probabilities <= 1 - share]
        assert time_to(lines, share) == (float(below[0]) if below.size else None)


def test_losing_arms_cost_units_and_stopping_saves_them() -> None:
    _, lines = judged(
        [
            declared("stopped", status="completed"),
            declared("going"),
            declared("bandit", type="bandit", first_weights={"control": 0.5, "red": 0.5}),
        ],
        [
            compared("stopped", -0.1, 0.01, "worse"),
            compared("going", -0.1, 0.01, "harmed", role="guardrail"),
            compared("bandit", -0.1, 0.01, "worse"),
        ],
        exposures=[
            *both("stopped", range(1, 12), 10),
            *both("going", range(1, 29), 10),
            *exposed("bandit", "control", range(1, 11), 90),
            *exposed("bandit", "red", range(1, 11), 10),
        ],
    )
    # 11 days of 10 units; 10 days are left to the planned end on the 21st.
    assert (lines["stopped"]["losing_units"], lines["stopped"]["saved_by_stopping"]) == (110, 100.0)
    assert (lines["going"]["losing_units"], lines["going"]["saved_by_stopping"]) == (280, 0.0)
    # 1,000 units, half of them by the first weights, and 100 went there.
    assert (lines["bandit"]["losing_units"], lines["bandit"]["saved_by_weights"]) == (100, 400.0)


def test_the_standard_error_is_the_one_the_interval_was_made_from() -> None:
    reach = stats.norm.isf(0.0125)
    row = {"lift_rel_low": 0.05 - reach * 0.013, "lift_rel_high": 0.05 + reach * 0.013, "ci_level": 0.975}
    assert standard_error(row) == pytest.approx(0.013, rel=1e-9)
    assert standard_error(row | {"lift_rel_high": float("inf")}) is None


@pytest.mark.parametrize(
    ("spread", "error", "least", "most"), [(0.02, 0.02, 0.0, 0.75), (0.2, 0.001, 0.98, 1.01)]
)
def test_noise_is_pulled_to_the_mean_and_clear_effects_are_not(spread, error, least, most) -> None:
    lifts = np.random.default_rng(5).normal(0, spread, 60)
    _, lines = judged(
        [declared(f"e{place}") for place in range(60)],
        [compared(f"e{place}", float(lift), error) for place, lift in enumerate(lifts)],
    )
    kept = sum(abs(line["likely"]) for line in lines.values()) / sum(abs(lifts))
    assert least < kept < most


def test_two_effects_teach_nothing() -> None:
    figures, lines = judged(
        [declared("a"), declared("b")], [compared("a", 0.1, 0.01), compared("b", 0.2, 0.01)]
    )
    assert lines["a"]["likely"] is None
    assert ("effect_mean", "all", "all") not in figures


def test_what_shipped_multiplies() -> None:
    names = ("a", "b", "c", "d")
    _, lines = judged(
        [declared(name, shipped="control" if name == "d" else "red") for name in names],
        [compared(name, 0.1, 0.001) for name in names],
    )
    figures, _ = judged(
        [declared(name, shipped="control" if name == "d" else "red") for name in names],
        [compared(name, 0.1, 0.001) for name in names],
    )
    worth = figures["cumulative_worth", "metric", "rate"]
    assert worth["n"] == 3, "the control that stayed gains nothing"
    assert worth["value"] == pytest.approx(math.prod(1 + lines[name]["likely"] for name in "abc") - 1)
    assert worth["low"] < worth["value"] < worth["high"]


def test_rows_do_not_depend_on_the_order_of_the_input() -> None:
    experiments = [declared(name, owner=name) for name in "abcd"]
    rows = [compared(name, 0.01 * place, 0.01) for place, name in enumerate("abcd")]
    exposures = [row for name in "abcd" for row in both(name, range(1, 20))]
    assert judged(experiments, rows, exposures=exposures) == judged(
        experiments[::-1], rows[::-1], exposures=exposures[::-1]
    )
