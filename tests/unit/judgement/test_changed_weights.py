"""Experiments whose weights changed: arms are compared phase by phase, and what pooling says stands beside.

Cases `phases-weights-changed` and `stopped-arm-shipped`.
"""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest
from scipy import stats

from fairsplit.analysis.judgement import violations
from fairsplit.analysis.judgement.strata import PHASE_SUMS

FIRST, LAST = date(2026, 1, 8), date(2026, 1, 25)
RAMP = (
    "[{start: 2026-01-05, weights: {control: 0.9, red: 0.1}},"
    " {start: 2026-01-09, weights: {control: 0.5, red: 0.5}}]"
)
SCALES = {"revenue": 1_000_000}


class Phases:
    """Unit values by phase, given to judgement as totals and as the sums of each phase."""

    def __init__(self, world) -> None:
        self.world = world
        self.sums: list[dict] = []
        self.totals: dict[tuple[str, str, str], list[tuple]] = {}

    def add(
        self, phase, arm, y, *, metric="conversion", d=None, x=None, day=FIRST, analysis="default"
    ) -> None:
        letters = {"y": y, "d": d, "x": x, "w": None}
        scaled = {
            name: None if v is None else [int(i) for i in np.round(np.asarray(v) * SCALES.get(metric, 1))]
            for name, v in letters.items()
        }
        row = dict(zip(PHASE_SUMS, ("cta", metric, "all", "all", analysis, phase, arm, day), strict=True))
        row["n"] = len(y)
        for i, a in enumerate("ydxw"):
            row[f"sum_{a}"] = sum(scaled[a] or [])
            for b in "ydxw"[i:]:
                both = zip(scaled[a] or [], scaled[b] or [], strict=False)
                row[f"sum_{a}{b}"] = sum(p * q for p, q in both)
        self.sums.append(row)
        units = zip(*(scaled[name] or [None] * len(y) for name in "ydx"), strict=True)
        self.totals.setdefault((metric, arm, analysis), []).extend(units)

    def shares(self, phase, **counts) -> None:
        """Successes and units by arm."""
        for arm, (successes, units) in counts.items():
            self.add(phase, arm, [1] * successes + [0] * (units - successes))

    def judge(self, **more) -> pl.DataFrame:
        for (metric, arm, analysis), units in self.totals.items():
            y, d, x = (None if v[0] is None else list(v) for v in zip(*units, strict=True))
            self.world.values(arm, y, d=d, x=x, metric=metric, cut_off=LAST, analysis=analysis)
        whole = [name for name in self.sums[0] if name == "n" or name.startswith("sum_")]
        schema = {"phase": pl.Int32} | dict.fromkeys(whole, pl.Int128)
        sums = pl.DataFrame(self.sums, schema_overrides=schema)
        found = self.world.judge(LAST, phase_sums=sums, **more)
        assert violations(found.comparisons, found.validity, found.decisions).is_empty()
        self.decision = found.decisions.row(0, named=True)
        return found.comparisons.filter(pl.col("analysis") == "default")

    def row(self, arm="red", metric="conversion", **more) -> dict:
        rows = self.judge(**more)
        return rows.filter((pl.col("variant_id") == arm) & (pl.col("metric") == metric)).row(0, named=True)


@pytest.fixture
def phases(world) -> Phases:
    world.define(phases=RAMP, metrics="{primary: [conversion]}", plan="{min_sample: 50}")
    return Phases(world)


def test_phases_weights_changed_is_no_difference(phases):
    """Case `phases-weights-changed`: 40 % in both arms before, 10 % in both after."""
    phases.shares(0, control=(360, 900), red=(40, 100))
    phases.shares(1, control=(50, 500), red=(50, 500))
    rows = phases.judge()
    red = rows.filter(pl.col("variant_id") == "red").row(0, named=True)
    assert red["lift_abs"] == pytest.approx(0.0, abs=1e-12)
    # By hand: half of the units in each phase, S = .24 n / (n - 1) and .09 n / (n - 1).
    variance = 0.25 * (0.24 / 899 + 0.24 / 99 + 2 * 0.09 / 499)
    assert red["lift_std_error"] == pytest.approx(np.sqrt(variance), rel=1e-12)
    assert red["lift_abs_high"] == pytest.approx(0.054, abs=1e-3)
    assert (red["stratified_by"], red["strata"], red["left_out"]) == ("phase", 2, 0)
    # What all units together say: 90 of 600 against 410 of 1,400.
    assert red["pooled_lift_abs"] == pytest.approx(90 / 600 - 410 / 1400, rel=1e-12)
    assert red["pooled_p_value"] < 1e-9
    # The row's own figures agree with its lift.
    control = rows.filter(pl.col("variant_id") == "control").row(0, named=True)
    assert (control["mean"], red["mean"], red["control_mean"]) == pytest.approx((0.25, 0.25, 0.25))
    assert phases.decision["decision"] not in {"ship", "roll_back"}


def test_phases_weights_changed_finds_the_effect_that_there_is(phases):
    """Case `phases-weights-changed` with five points more in both phases: pooled, they are hidden."""
    phases.shares(0, control=(3600, 9000), red=(450, 1000))
    phases.shares(1, control=(500, 5000), red=(750, 5000))
    red = phases.row()
    assert red["lift_abs"] == pytest.approx(0.05, rel=1e-12)
    assert red["p_value"] < 1e-6
    assert red["pooled_lift_abs"] < 0


def test_equal_weights_in_all_phases_change_no_figure(world, phases):
    phases.shares(0, control=(30, 100), red=(35, 100))
    phases.shares(1, control=(10, 100), red=(15, 100))
    two = "[{start: 2026-01-05, traffic: 0.2, weights: {control: 0.5, red: 0.5}},"
    world.define(
        phases=two + " {start: 2026-01-09, weights: {control: 0.5, red: 0.5}}]",
        metrics="{primary: [conversion]}",
    )
    red = phases.row()
    assert red["lift_abs"] == pytest.approx(0.05)
    assert red["stratified_by"] is None
    assert red["pooled_lift_abs"] is None


def test_one_phase_so_far_is_pooled(phases):
    phases.shares(0, control=(360, 900), red=(40, 100))
    assert phases.row()["stratified_by"] is None


def test_stopped_arm_shipped_is_compared_while_it_ran(world, phases):
    """Case `stopped-arm-shipped`: base 40 % to 10 % on the day on which c stops."""
    world.define(
        type="abn",
        variants="[{id: control, control: true}, {id: red}, {id: c}]",
        phases="[{start: 2026-01-05, weights: {control: 0.4, red: 0.4, c: 0.2}},"
        " {start: 2026-01-09, weights: {control: 0.5, red: 0.5, c: 0.0}}]",
        metrics="{primary: [conversion]}",
        plan="{min_sample: 50}",
    )
    phases.shares(0, control=(160, 400), red=(160, 400), c=(80, 200))
    phases.shares(1, control=(100, 1000), red=(100, 1000))
    rows = {row["variant_id"]: row for row in phases.judge().to_dicts()}
    assert rows["c"]["lift_abs"] == pytest.approx(0.0, abs=1e-12)
    assert (rows["c"]["strata"], rows["c"]["left_out"]) == (1, 1000)
    assert rows["c"]["control_mean"] == pytest.approx(0.4)
    assert rows["c"]["pooled_lift_rel"] == pytest.approx(0.4 / (260 / 1400) - 1)
    # Red and the control split alike all the time: as before, and its control's mean is its own.
    assert rows["red"]["stratified_by"] is None
    assert rows["red"]["control_mean"] == pytest.approx(260 / 1400)
    assert phases.decision["decision"] != "ship"


def test_stopped_arm_shipped_keeps_bands_apart(world, phases):
    """Case `stopped-arm-shipped`, sticky: bands 90/10, 50/50 and 20/80 over a falling base."""
    start = "{{start: 2026-01-{day}, traffic: {traffic}, weights: {{control: {control}, red: {red}}}}}"
    steps = [("05", 0.2, 0.9, 0.1), ("09", 0.6, 0.5, 0.5), ("13", 1.0, 0.2, 0.8)]
    text = ", ".join(
        start.format(day=day, traffic=traffic, control=control, red=red)
        for day, traffic, control, red in steps
    )
    world.define(phases=f"[{text}]", sticky="true", metrics="{primary: [conversion]}")
    # Pieces: the first phase's band; the second's two; the third's three, of which two keep their weights.
    bands = [(900, 100), (900, 100), (500, 500), (900, 100), (500, 500), (200, 800)]
    for piece, ((control, red), base) in enumerate(zip(bands, (0.4, 0.3, 0.3, 0.1, 0.1, 0.1), strict=True)):
        phases.shares(piece, control=(round(base * control), control), red=(round(base * red), red))
    red = phases.row()
    assert red["lift_abs"] == pytest.approx(0.0, abs=1e-12)
    assert red["strata"] == 3
    assert red["pooled_lift_abs"] < -0.05


def test_means_ratios_and_covariates_are_weighted_by_phase(world, rng):
    world.define(phases=RAMP, metrics="{primary: [revenue], secondary: [ctr]}", plan="{correction: none}")
    phases = Phases(world)
    levels, sizes = ((50.0, 3.0), (20.0, 1.0)), ({"control": 900, "red": 100}, {"control": 500, "red": 500})
    drawn = {}
    for phase, ((level, size), units) in enumerate(zip(levels, sizes, strict=True)):
        for arm, n in units.items():
            y, clicks, views = (
                rng.normal(level, size, n).round(6),
                rng.binomial(9, 0.1 + phase / 5, n),
                rng.integers(1, 9, n),
            )
            drawn[phase, arm] = (y, clicks, views)
            phases.add(phase, arm, y, metric="revenue")
            phases.add(phase, arm, clicks, d=views, metric="ctr")
    rows = {row["metric"]: row for row in phases.judge().filter(pl.col("variant_id") == "red").to_dicts()}
    diff = sum(0.5 * (drawn[h, "red"][0].mean() - drawn[h, "control"][0].mean()) for h in (0, 1))
    variance = sum(0.25 * y.var(ddof=1) / len(y) for y, _, _ in drawn.values())
    assert rows["revenue"]["lift_abs"] == pytest.approx(diff, rel=1e-9)
    assert rows["revenue"]["lift_std_error"] == pytest.approx(np.sqrt(variance), rel=1e-9)

    def ratio(arm: str) -> tuple[float, float]:
        top = sum(0.5 * drawn[h, arm][1].mean() for h in (0, 1))
        bottom = sum(0.5 * drawn[h, arm][2].mean() for h in (0, 1))
        value = top / bottom
        parts = [(drawn[h, arm][1] - value * drawn[h, arm][2]) / bottom for h in (0, 1)]
        return value, sum(0.25 * part.var(ddof=1) / len(part) for part in parts)

    (base, var_base), (value, var_value) = ratio("control"), ratio("red")
    assert rows["ctr"]["lift_abs"] == pytest.approx(value - base, rel=1e-9)
    assert rows["ctr"]["lift_std_error"] == pytest.approx(np.sqrt(var_base + var_value), rel=1e-9)
    assert rows["ctr"]["mean"] == pytest.approx(value, rel=1e-9)


def test_a_covariate_is_adjusted_for_inside_phases(world, rng):
    world.define(phases=RAMP, metrics="{primary: [revenue]}")
    phases = Phases(world)
    for phase, (level, units) in enumerate(((50.0, (900, 100)), (20.0, (500, 500)))):
        for arm, n in zip(("control", "red"), units, strict=True):
            x = rng.normal(level, 5, n)
            phases.add(phase, arm, x + rng.normal(0, 1, n), x=x, metric="revenue")
    red = phases.row(metric="revenue")
    assert (red["method"], red["stratified_by"]) == ("cuped", "phase")
    # Of a variance of 26 the covariate leaves 1.
    assert red["variance_reduction"] == pytest.approx(1 - 1 / 26, abs=0.01)
    assert red["lift_std_error"] == pytest.approx(np.sqrt(0.25 * (1 / 900 + 1 / 100 + 2 / 500)), rel=0.05)
    assert abs(red["lift_abs"]) < 4 * red["lift_std_error"]


def test_degrees_of_freedom_are_those_of_the_strata(world):
    world.define(phases=RAMP, metrics="{primary: [revenue]}")
    phases = Phases(world)
    values = {(0, "control"): [1, 4, 6], (0, "red"): [2, 3], (1, "control"): [7, 9], (1, "red"): [5, 9, 8]}
    for (phase, arm), y in values.items():
        phases.add(phase, arm, y, metric="revenue")
    red = phases.row(metric="revenue")
    parts = [0.25 * np.var(y, ddof=1) / len(y) for y in values.values()]
    df = sum(parts) ** 2 / sum(part**2 / (len(y) - 1) for part, y in zip(parts, values.values(), strict=True))
    assert red["df"] == pytest.approx(df, rel=1e-9)
    assert red["p_value"] == pytest.approx(
        2 * stats.t.sf(abs(red["lift_abs"]) / np.sqrt(sum(parts)), df), rel=1e-9
    )


def test_an_arm_without_events_is_not_certain(phases):
    """A stratum in which nothing happened in the small arm has the variance of both arms together."""
    phases.shares(0, control=(18, 1800), red=(0, 100))
    phases.shares(1, control=(1, 100), red=(1, 100))
    red = phases.row()
    assert red["p_value"] > 0.05


def test_a_phase_that_one_arm_has_no_units_in_is_left_out(phases):
    phases.shares(0, control=(360, 900), red=(1, 1))
    phases.shares(1, control=(50, 500), red=(50, 500))
    red = phases.row()
    assert (red["strata"], red["left_out"]) == (1, 901)
    assert red["lift_abs"] == pytest.approx(0.0, abs=1e-12)


def test_without_a_phase_of_both_there_is_no_figure(phases):
    phases.shares(0, control=(360, 900))
    phases.shares(1, red=(50, 500))
    assert phases.row()["reason"] == "insufficient_sample"


@pytest.mark.parametrize("metric", ["revenue_p90", "revenue_rank", "revenue_ks"])
def test_ranks_and_quantiles_are_refused_and_say_why(world, metric):
    world.define(phases=RAMP, metrics=f"{{primary: [{metric}]}}")
    phases = Phases(world)
    for phase, units in enumerate(((90, 10), (50, 50))):
        for arm, n in zip(("control", "red"), units, strict=True):
            phases.add(phase, arm, range(n), metric=metric)
    red = phases.row(metric=metric)
    assert (red["status"], red["reason"]) == ("not_computed", "weights_changed")
    assert phases.decision["decision"] != "ship"


def test_units_in_two_arms_are_taken_out_of_their_phase(phases):
    phases.shares(0, control=(360, 900), red=(40, 100))
    phases.shares(1, control=(50, 500), red=(50, 500))
    for phase, arm, successes, units in (
        (0, "control", 359, 890),
        (0, "red", 40, 99),
        (1, "control", 50, 500),
        (1, "red", 50, 499),
    ):
        phases.add(phase, arm, [1] * successes + [0] * (units - successes), analysis="crossovers_excluded")
    phases.judge()
    rows = phases.world.judge(
        LAST, phase_sums=pl.DataFrame(phases.sums, schema_overrides={"phase": pl.Int32})
    ).comparisons.filter((pl.col("analysis") == "crossovers_excluded") & (pl.col("variant_id") == "red"))
    half = (890 + 99) / (890 + 99 + 500 + 499)
    expected = half * (40 / 99 - 359 / 890) + (1 - half) * (50 / 499 - 50 / 500)
    assert rows["lift_abs"].item() == pytest.approx(expected, rel=1e-9)


CELLS = ("control", "a", "b", "ab")


def test_stopped_arm_shipped_weighs_all_cells_alike(world):
    """Case `stopped-arm-shipped`: 2 × 2 with .4/.1/.1/.4, then .1/.4/.4/.1, base .40, then .10, and no effect."""
    shares = [(0.4, 0.1, 0.1, 0.4), (0.1, 0.4, 0.4, 0.1)]
    text = ", ".join(
        f"{{start: 2026-01-{day}, weights: {{{', '.join(f'{c}: {w}' for c, w in zip(CELLS, one, strict=True))}}}}}"
        for day, one in zip(("05", "09"), shares, strict=True)
    )
    world.define(
        type="multivariate",
        variants="[{id: control, control: true, levels: {x: low, y: low}}, {id: a, levels: {x: top, y: low}},"
        " {id: b, levels: {x: low, y: top}}, {id: ab, levels: {x: top, y: top}}]",
        factors="[{name: x, levels: [low, top]}, {name: y, levels: [low, top]}]",
        phases=f"[{text}]",
        metrics="{primary: [conversion]}",
    )
    phases = Phases(world)
    for phase, (one, base) in enumerate(zip(shares, (0.4, 0.1), strict=True)):
        phases.shares(
            phase, **{c: (round(base * 1000 * w), round(1000 * w)) for c, w in zip(CELLS, one, strict=True)}
        )
    rows = {row["variant_id"]: row for row in phases.judge().to_dicts()}
    assert [rows[cell]["phase_mean"] for cell in CELLS] == pytest.approx([0.25] * 4)
    # Pooled, the corners that had most units early are far above the others: 170 of 500 against 80.
    errors = [rows[cell]["phase_std_error"] ** 2 for cell in CELLS]
    big, small = 0.25 * (0.24 / 399 + 0.09 / 99), 0.25 * (0.24 / 99 + 0.09 / 399)
    assert errors == pytest.approx([big, small, small, big], rel=1e-9)


@pytest.mark.parametrize("method", ["group_sequential", "always_valid", "sprt", "bayesian"])
def test_every_plan_compares_inside_phases(world, method):
    world.define(
        phases=RAMP,
        metrics="{primary: [{metric: conversion, minimum_effect: 0.2}]}",
        plan=f"{{method: {method}, min_sample: 50, max_duration: 14d}}",
    )
    phases = Phases(world)
    phases.shares(0, control=(3600, 9000), red=(400, 1000))
    phases.shares(1, control=(500, 5000), red=(500, 5000))
    red = phases.row()
    assert red["lift_abs"] == pytest.approx(0.0, abs=1e-12)
    assert red["prob_beat"] == pytest.approx(0.5)
    assert not red["seq_crossed"]
    if method != "bayesian":
        assert red["seq_low"] < 0 < red["seq_high"]
    assert phases.decision["decision"] not in {"ship", "roll_back"}
    assert phases.decision["variant_id"] != "red"


def test_walds_test_adds_the_strata_by_what_they_tell(world):
    world.define(
        phases=RAMP,
        metrics="{primary: [{metric: conversion, minimum_effect: 0.2}]}",
        plan="{method: sprt, min_sample: 50, max_duration: 14d, alpha: 0.05, power: 0.8}",
    )
    phases = Phases(world)
    cells = {
        (0, "control"): (3600, 9000),
        (0, "red"): (450, 1000),
        (1, "control"): (500, 5000),
        (1, "red"): (750, 5000),
    }
    for (phase, arm), counts in cells.items():
        phases.shares(phase, **{arm: counts})
    red = phases.row()
    gaps, tells = [], []
    for phase in (0, 1):
        (c, n_c), (t, n_t) = cells[phase, "control"], cells[phase, "red"]
        both = (c + t) / (n_c + n_t)
        variance = sum(max(x / n * (1 - x / n), both * (1 - both)) / (n - 1) for x, n in ((c, n_c), (t, n_t)))
        gaps.append(t / n_t - c / n_c)
        tells.append(1 / variance)
    diff = np.dot(gaps, tells) / sum(tells)
    effect = 0.2 * red["control_mean"]
    # Log likelihood ratio of the effect against none, of a normal difference; its bound for both signs.
    ratio = np.log(np.cosh(effect * diff * sum(tells))) - effect**2 / 2 * sum(tells)
    assert red["seq_crossed"] == (ratio >= np.log(0.8 / 0.05))
    assert red["seq_crossed"]


def test_the_skewness_of_a_difference_is_that_of_its_strata(world, phases):
    """A phase with a small arm weighs by all its units: the arms' totals would tell a third of the skewness."""
    world.define(metrics="{primary: [revenue]}", phases=RAMP)
    units = {(0, "control"): 900, (0, "red"): 100, (1, "control"): 500, (1, "red"): 500}
    for (phase, arm), n in units.items():
        phases.add(phase, arm, np.repeat([10.0, 0.0], [n // 20, n - n // 20]), metric="revenue")
    row = phases.row(metric="revenue")
    (asked,) = (one for one in row["requirements"] if one["requirement"] == "skewness")
    rng = np.random.default_rng(711)
    means = {place: rng.binomial(n, 0.05, 1_000_000) / n for place, n in units.items()}
    drawn = sum(0.5 * (means[phase, "red"] - means[phase, "control"]) for phase in (0, 1))
    assert asked["observed"] == pytest.approx(abs(stats.skew(drawn)), abs=0.015)
    assert (asked["observed"] > 0.2, asked["met"], row["requirements_met"]) == (True, False, False)


@pytest.mark.parametrize(("shift", "status"), [(0.0, "pass"), (0.3, "fail")])
def test_what_was_before_exposure_is_compared_inside_phases(world, rng, shift, status):
    """Who comes after the weights changed spent less before: pooled, the arms differ by 4 at p 1e-100."""
    world.define(
        phases=RAMP, end="2026-01-19", metrics="{primary: [revenue]}", plan="{min_sample: 50, cuped_days: 7}"
    )
    phases, cells = Phases(world), {}
    for phase, level in ((0, 10.0), (1, 2.0)):
        for arm, n in zip(("control", "red"), ((900, 100), (500, 500))[phase], strict=True):
            x = rng.normal(level, 1, n).round(6)
            x = (x - x.mean() + level + shift * (arm == "red")).round(6)
            cells[phase, arm] = x
            phases.add(phase, arm, x + rng.normal(0, 0.3, n).round(6), x=x, metric="revenue")
    for (metric, arm, analysis), units in phases.totals.items():
        y, _, x = (list(v) for v in zip(*units, strict=True))
        world.values(arm, y, x=x, metric=metric, cut_off=LAST, analysis=analysis)
    sums = [name for name in phases.sums[0] if name == "n" or name.startswith("sum_")]
    by_phase = pl.DataFrame(
        phases.sums, schema_overrides={"phase": pl.Int32} | dict.fromkeys(sums, pl.Int128)
    )
    validity = world.judge(LAST, phase_sums=by_phase).validity
    row = validity.filter(pl.col("check") == "pre_period:revenue").row(0, named=True)
    # Both phases have as many units: means and variances by hand.
    error = np.sqrt(sum(0.25 * x.var(ddof=1) / x.size for x in cells.values()))
    assert (row["status"], row["observed"], row["expected"]) == (status, f"{6 + shift:.4g}", "6")
    assert row["statistic"] == pytest.approx(shift / error, abs=1e-4)


@pytest.mark.parametrize("ended", [False, True])
@pytest.mark.parametrize(("extra", "status"), [(0, "pass"), (200, "fail")])
def test_losses_that_grow_while_weights_change_are_no_fault(world, ended, extra, status):
    """One unit in 200 is lost at 90 to 10, one in ten at 50 to 50: the same in both arms, 2 to 1 by their totals."""
    world.define(phases=RAMP, end="2026-01-19" if ended else "2026-02-19")
    world.values("control", [1, 2, 3])
    world.values("red", [1, 2, 4])
    lost = {0: {"control": 45, "red": 5}, 1: {"control": 500, "red": 500 + extra}}
    entered = {0: {"control": 9_000, "red": 1_000}, 1: {"control": 5_000, "red": 5_000}}
    days = {0: date(2026, 1, 6), 1: date(2026, 1, 10)}
    rows = []
    for phase, day in days.items():
        kept = {arm: entered[phase][arm] - lost[phase][arm] for arm in ("control", "red")}
        world.exposures(kept, day=day, phase=phase, crossovers=lost[phase])
        rows += [
            {"experiment_id": "cta", "event_day": day, "exposure_day": day, "step": "bots", "variant_id": arm}
            | {"assigned_variant_id": arm, "units": entered[phase][arm], "early": count, "lost": count}
            for arm, count in lost[phase].items()
        ]
    counts = pl.DataFrame(rows)
    found = world.judge(
        LAST,
        losses=counts.with_columns(units="lost"),
        early_outcomes=counts,
        targeting_audits=counts.rename({"early": "ineligible"}),
    ).validity
    checks = {row["check"]: row for row in found.to_dicts()}
    # Of the lost units nine tenths of the first phase's and half of the second's are due to the control.
    control, red = 45 + (1000 + extra) / 2, 5 + (1000 + extra) / 2
    if status == "pass":
        assert checks["loss:bots"]["expected"] == f"{control:,.0f} / {red:,.0f}"
    for check in ("loss:bots", "exposure_order", "targeting"):
        assert checks[check]["p_value"] > 0.5 if status == "pass" else checks[check]["status"] == "fail"
    assert checks["loss:bots"]["status"] == status
    assert (checks["crossovers"]["p_value"] > 0.5) == (status == "pass")


def test_losses_that_are_taken_back_count_in_the_period_in_which_they_were_lost(world):
    """A unit that waits for its activation at 90 to 10 and is exposed at 50 to 50 is lost at neither; 20 stay lost."""
    world.define(phases=RAMP, end="2026-02-19")
    world.values("control", [1, 2, 3])
    world.values("red", [1, 2, 4])
    first, second = date(2026, 1, 6), date(2026, 1, 10)
    world.exposures({"control": 8_000, "red": 900}, day=first, phase=0)
    world.exposures({"control": 5_890, "red": 5_090}, day=second, phase=1)
    losses = pl.DataFrame(
        [
            {"experiment_id": "cta", "step": "not_activated", "variant_id": arm, "events": None}
            | {"event_day": day, "lost_day": lost, "units": units}
            for arm, day, lost, units in (
                ("control", first, first, 900),
                ("red", first, first, 100),
                ("control", second, first, -890),
                ("red", second, first, -90),
                ("control", second, second, 10),
                ("red", second, second, 10),
            )
        ]
    )
    rows = world.judge(LAST, losses=losses).validity.to_dicts()
    (found,) = (row for row in rows if row["check"] == "loss:not_activated")
    assert found["observed"] == "20 / 20"
    # 10 of 8,910 and 10 of 1,010 in the first, 10 of 5,900 and 10 of 5,100 in the second.
    due = 20 * 8_010 / 8_920 + 20 * 5_900 / 11_000
    assert found["expected"] == f"{due:,.1f} / {40 - due:,.1f}"
