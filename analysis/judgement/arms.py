"""What each arm has shown by the cut-off at which its plan may conclude."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from analysis.judgement.looks import planned_duration

if TYPE_CHECKING:
    from datetime import date

SEQUENTIAL = ("group_sequential", "always_valid", "sprt")


def timing(experiments: pl.DataFrame, uses: pl.DataFrame, cut_off: date) -> pl.DataFrame:
    """When each experiment may conclude.

    A fixed-horizon plan concludes once, on the first day by whose end the planned time and the longest window
    of a primary metric are over: `verdict_day`. Its numbers are those of that day even if units came later,
    since every further day would be another look.

    Returns:
        Experiments with `days_run`, `verdict_day`, `at_horizon` and `used_cut_off`.
    """
    window = uses.filter(pl.col("role") == "primary").group_by("experiment_id").agg(pl.col("window").max())
    closed = pl.col("start_at") + planned_duration() + pl.col("window").fill_null(pl.duration(days=0))
    end_of_day = pl.lit(cut_off).cast(pl.Datetime("us")) + pl.duration(days=1)
    return (
        experiments.join(window, on="experiment_id", how="left")
        .with_columns(
            days_run=(end_of_day - pl.col("start_at")).dt.total_days(),
            verdict_day=(closed - pl.duration(microseconds=1)).dt.date(),
        )
        .with_columns(at_horizon=pl.lit(cut_off) >= pl.col("verdict_day"))
        .with_columns(
            used_cut_off=pl.when(pl.col("plan_method").is_in(SEQUENTIAL))
            .then(pl.lit(cut_off))
            .otherwise(pl.min_horizontal(pl.lit(cut_off), "verdict_day"))
        )
    )


def deciding_rows(comparisons: pl.DataFrame, timed: pl.DataFrame, uses: pl.DataFrame) -> pl.DataFrame:
    """The rows that may decide: totals of the declared analysis at the cut-off used, with flags per row.

    `won` and `lost` are conclusions about primary metrics, `harmed` and `uncleared` about guardrails. A
    guardrail with a margin is harmed only beyond it, and cleared only when the interval lies inside it.
    """
    wanted = (
        pl.when(pl.col("crossovers") == "exclude")
        .then(pl.lit("crossovers_excluded"))
        .otherwise(pl.lit("default"))
    )
    rows = (
        comparisons.filter(pl.col("segment") == "all")
        .drop("role", "unit", "direction", "window_start", "window_end", "definition_hash")
        .join(uses.drop("unit", "test", "percentile"), on=["experiment_id", "metric"])
        .join(timed, on="experiment_id")
        .filter((pl.col("cut_off") == pl.col("used_cut_off")) & (pl.col("analysis") == wanted))
    )
    sequential = pl.col("plan_method").is_in(SEQUENTIAL)
    sure = pl.max_horizontal("prob_beat", 1 - pl.col("prob_beat")) >= pl.col("winner_probability")
    decisive = (
        pl.when(sequential)
        .then(pl.col("seq_crossed"))
        .when(pl.col("plan_method") == "bayesian")
        .then(sure)
        .otherwise(pl.col("at_horizon") & (pl.col("p_adjusted") <= pl.col("alpha")))
    ).fill_null(value=False)
    good = pl.col("sign") * pl.col("lift_abs") > 0
    primary, guardrail = pl.col("role") == "primary", pl.col("role") == "guardrail"
    margin = pl.col("margin").fill_null(0.0)
    increases = pl.col("sign") > 0
    best_case = pl.when(increases).then("seq_rel_high").otherwise(-pl.col("seq_rel_low"))
    worst_case = pl.when(increases).then("lift_rel_low").otherwise(-pl.col("lift_rel_high"))
    beyond = pl.when(pl.col("margin").is_null()).then(pl.lit(value=True)).otherwise(best_case < -margin)
    crossed = pl.col("seq_crossed").fill_null(value=False)
    unclear = pl.when(pl.col("margin").is_null()).then(pl.lit(value=False)).otherwise(worst_case <= -margin)
    return rows.with_columns(
        won=(primary & decisive & good).fill_null(value=False),
        lost=(primary & decisive & ~good).fill_null(value=False),
        harmed=(guardrail & crossed & ~good & beyond).fill_null(value=False),
        uncleared=guardrail & unclear.fill_null(value=True),
        gain=pl.col("sign") * pl.coalesce("lift_rel", "lift_abs"),
    )


def arm_summary(rows: pl.DataFrame) -> pl.DataFrame:
    """One row per experiment and treatment arm: what its metrics say together."""
    treated = rows.filter(pl.col("comparison").is_not_null())
    return treated.group_by("experiment_id", "variant_id", maintain_order=True).agg(
        pl.col("won").any() & ~pl.col("lost").any(),
        pl.col("lost").any(),
        pl.col("harmed").any(),
        pl.col("uncleared").any(),
        gain=pl.col("gain").filter(pl.col("role") == "primary").first(),
    )
