"""How often a decision is wrong when nothing is there, and right when something is, through the whole judgement."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from scipy import stats

from fairsplit.analysis.catalogue import MetricDefinition, load_catalogue
from fairsplit.analysis.judgement import Facts, judge_cut_offs, violations
from fairsplit.analysis.judgement.split import mixed_sequential

pytestmark = pytest.mark.simulation

START = date(2026, 1, 5)
DAYS = 28
UNITS_A_DAY = 400
EXPERIMENTS = 300
ALPHA = 0.05
SCALE = 1_000_000
METRIC = MetricDefinition(
    name="revenue",
    label="Revenue",
    description="",
    kind="mean",
    unit="USD",
    direction="increase",
    window_start=timedelta(0),
    window_end=None,
    cuped=False,
    winsorize=None,
    percentile=None,
    funnel=(),
    test="welch",
    numerator="revenue",
    denominator=None,
    scale_y=SCALE,
    scale_d=1,
    definition_hash="revenue",
)


def catalogue(folder, plan: str):
    (folder / "experiments").mkdir()
    (folder / "project.yaml").write_text("first_day: 2026-01-05\n")
    end = datetime.combine(START + timedelta(days=DAYS), datetime.min.time())
    for number in range(EXPERIMENTS):
        (folder / "experiments" / f"e{number:03}.yaml").write_text(
            f"id: e{number:03}\nname: x\nowner: x@example.com\ntype: ab\nstatus: running\nstart: {START}\n"
            f"end: {end.isoformat()}Z\nvariants: [{{id: control, control: true}}, {{id: red}}]\n"
            f"metrics: {{primary: [revenue]}}\nplan: {{{plan}}}\nstopping: {{whole_weeks: false}}\n"
        )
    return load_catalogue(folder, {"revenue": METRIC})


def facts(catalogue, effect: float, seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Running sums of gamma values (skewed, mean 10, sd 10) per experiment, arm and day."""
    rng = np.random.default_rng(seed)
    frames = []
    for arm, mean in (("control", 10.0), ("red", 10.0 * (1 + effect))):
        # The day's units as whole micro-dollars: sums and sums of squares of 400 exponential values.
        values = rng.exponential(mean, (EXPERIMENTS, DAYS, UNITS_A_DAY)).astype(np.float32).astype(np.float64)
        cents = np.rint(values * 1_000)
        y, yy = cents.sum(axis=2).cumsum(axis=1), (cents**2).sum(axis=2).cumsum(axis=1)
        frames.append(
            pl.DataFrame(
                {
                    "experiment_id": np.repeat(list(catalogue.experiments), DAYS),
                    "cut_off": [START + timedelta(days=day) for day in range(DAYS)] * EXPERIMENTS,
                    "variant_id": [arm] * (EXPERIMENTS * DAYS),
                    "n": np.tile(np.arange(1, DAYS + 1) * UNITS_A_DAY, EXPERIMENTS),
                    "sum_y": y.ravel().astype(np.int64),
                    "sum_yy": yy.ravel().astype(np.int64),
                }
            )
        )
    empty = ["sum_d", "sum_x", "sum_w"]
    empty += ["sum_yd", "sum_yx", "sum_yw", "sum_dd", "sum_dx", "sum_dw", "sum_xx", "sum_xw", "sum_ww"]
    statistics = pl.concat(frames).with_columns(
        *(pl.lit(None, pl.Int128).alias(name) for name in empty),
        metric=pl.lit("revenue"),
        segment=pl.lit("all"),
        segment_level=pl.lit("all"),
        analysis=pl.lit("default"),
        n_open=pl.lit(0),
        scale_y=pl.lit(1_000),
        scale_d=pl.lit(None, pl.Int64),
        covariate_status=pl.lit("not_declared"),
        cap_low=pl.lit(None, pl.Int64),
        cap_high=pl.lit(None, pl.Int64),
    )
    daily = statistics.select(
        "experiment_id",
        "segment",
        "segment_level",
        pl.col("cut_off").alias("exposure_day"),
        pl.lit(0).alias("phase"),
        "variant_id",
        pl.lit(UNITS_A_DAY).alias("units"),
        pl.lit(0).alias("crossovers"),
    )
    return statistics, daily


def _facts(statistics: pl.DataFrame, daily: pl.DataFrame) -> Facts:
    return Facts(sufficient_statistics=statistics, daily_exposures=daily)


def ever(tmp_path, plan: str, effect: float, seed: int) -> pl.DataFrame:
    """For each experiment, whether any day's decision shipped or rolled back."""
    loaded = catalogue(tmp_path, plan)
    statistics, daily = facts(loaded, effect, seed)
    days = [START + timedelta(days=day) for day in range(DAYS)]
    judged = judge_cut_offs(_facts(statistics, daily), loaded, {"revenue": METRIC}, days)
    assert violations(judged.comparisons, judged.validity, judged.decisions).is_empty()
    return judged.decisions.group_by("experiment_id").agg(
        shipped=(pl.col("action") == "ship").any(), rolled_back=(pl.col("action") == "roll_back").any()
    )


def test_the_mixed_sequential_split_test_alarms_at_most_at_its_level_over_28_looks():
    rng = np.random.default_rng(5)
    counts = rng.multinomial(rng.integers(20, 400, (4_000, DAYS)), [0.7, 0.3])
    p_value, _ = mixed_sequential(counts.astype(float), np.broadcast_to([0.7, 0.3], counts.shape))
    for level in (0.001, 0.01, 0.05):
        assert (p_value[:, -1] < level).sum() <= stats.binom.isf(1e-3, len(counts), level)


@pytest.mark.parametrize(("units", "share"), [(200, 0.44), (2_000, 0.48), (20_000, 0.493)])
def test_the_mixed_split_test_finds_faults_of_every_size_within_the_month(units, share):
    # Each fault has chi-square's z near 6 to 9 by the end: found by nearly all runs at the failing level.
    rng = np.random.default_rng(6)
    counts = rng.multinomial(units, [share, 1 - share], (200, DAYS))
    p_value, _ = mixed_sequential(counts.astype(float), np.broadcast_to([0.5, 0.5], counts.shape))
    assert (p_value[:, -1] < 0.001).mean() > 0.95


PLANS = ["method: fixed", "method: group_sequential", "method: always_valid"]


@pytest.mark.parametrize(("seed", "plan"), list(enumerate(PLANS, start=1)))
def test_with_no_effect_a_decision_on_any_of_28_days_is_wrong_at_most_at_alpha(tmp_path, seed, plan):
    decided = ever(tmp_path, plan, 0.0, seed)
    wrong = int((decided["shipped"] | decided["rolled_back"]).sum())
    # A correct 5 % rate exceeds this count in fewer than one of a thousand simulations.
    assert wrong <= stats.binom.isf(1e-3, EXPERIMENTS, ALPHA)


def test_a_naive_daily_look_would_be_wrong_several_times_as_often(tmp_path):
    loaded = catalogue(tmp_path, "method: fixed")
    statistics, daily = facts(loaded, 0.0, 1)
    days = [START + timedelta(days=day) for day in range(DAYS)]
    rows = judge_cut_offs(_facts(statistics, daily), loaded, {"revenue": METRIC}, days).comparisons
    naive = rows.group_by("experiment_id").agg((pl.col("p_value") < ALPHA).any())["p_value"].sum()
    assert naive > 3 * ALPHA * EXPERIMENTS


@pytest.mark.parametrize(("seed", "plan"), list(enumerate(PLANS, start=11)))
def test_an_effect_is_found_in_the_right_direction(tmp_path, seed, plan):
    # 5 % of 10 with 11,200 units an arm: z = 0.5 / (10.25 √(2 / 11200)) = 3.65; a fixed test finds 95 %.
    decided = ever(tmp_path, plan, 0.05, seed)
    found = int(decided["shipped"].sum())
    least = {"method: fixed": 0.95, "method: group_sequential": 0.94, "method: always_valid": 0.70}[plan]
    assert found >= stats.binom.ppf(1e-3, EXPERIMENTS, least)
    assert int((decided["rolled_back"] & ~decided["shipped"]).sum()) <= 2


@pytest.mark.parametrize(
    ("seed", "method"), [(21, "group_sequential"), (22, "always_valid"), (23, "bayesian")]
)
def test_a_guardrail_at_its_margin_is_cleared_at_most_at_its_level(tmp_path, seed, method):
    """Case noninferiority-under-looks: revenue truly 5 % lower, a margin of 5 %, and a primary metric far better."""
    loaded = catalogue(tmp_path, f"method: {method}")
    metrics = {"revenue": METRIC, "signal": replace(METRIC, name="signal", definition_hash="signal")}
    for path in (tmp_path / "experiments").glob("*.yaml"):
        asked = "{primary: [signal], guardrails: [{metric: revenue, non_inferiority_margin: 0.05}]}"
        path.write_text(path.read_text().replace("{primary: [revenue]}", asked))
    guarded, daily = facts(loaded, -0.05, seed)
    signal, _ = facts(loaded, 0.5, seed + 100)
    loaded = load_catalogue(tmp_path, metrics)
    assert loaded.problems == ()
    days = [START + timedelta(days=day) for day in range(DAYS)]
    statistics = pl.concat([guarded, signal.with_columns(metric=pl.lit("signal"))])
    judged = judge_cut_offs(_facts(statistics, daily), loaded, metrics, days)
    shipped = judged.decisions.filter(pl.col("action") == "ship")["experiment_id"].n_unique()
    assert shipped <= stats.binom.isf(1e-3, EXPERIMENTS, ALPHA / 2)
    won = judged.decisions.filter(pl.col("reasons").list.contains("guardrail_not_cleared"))
    assert won["experiment_id"].n_unique() > 0.8 * EXPERIMENTS
