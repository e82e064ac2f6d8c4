"""What each arm has shown by the cut-off at which its plan may conclude."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from fairsplit.analysis.judgement.direction import GAIN
from fairsplit.analysis.judgement.information import SEQUENTIAL, planned_duration
from fairsplit.analysis.judgement.prospects import first_given_up, with_prospects

if TYPE_CHECKING:
    from datetime import date

#: What choosing a Bayesian plan's best arm may be expected to lose, as a share of the minimum effect.
TOLERATED_LOSS = 0.01


def timing(experiments: pl.DataFrame, uses: pl.DataFrame, cut_off: date) -> pl.DataFrame:
    """When each experiment may conclude.

    A fixed-horizon plan concludes once, on its `verdict_day`: with a declared end, the first day by whose end
    the longest window of a primary metric is over too; without one, the last day of the longest duration. Its
    numbers are those of that day even if units came later, since every further day would be another look.
    Plans that look repeatedly and respect whole weeks stop on what they had shown by `week_day`, the last day
    that completed a week. A group sequential plan has spent its error on the verdict day and says the same ever after.

    Returns:
        Experiments with `days_run`, `verdict_day`, `week_day`, `at_horizon` and `used_cut_off`.
    """
    window = (
        uses.filter(pl.col("role") == "primary")
        .group_by("experiment_id", maintain_order=True)
        .agg(pl.col("window").max())
    )
    waits = pl.when(pl.col("end_at").is_not_null()).then(pl.col("window")).fill_null(pl.duration(days=0))
    closed = pl.col("start_at") + planned_duration() + waits
    end_of_day = pl.lit(cut_off).cast(pl.Datetime("us")) + pl.duration(days=1)
    return (
        experiments.join(window, on="experiment_id", how="left")
        .with_columns(
            days_run=(end_of_day - pl.col("start_at")).dt.total_days(),
            verdict_day=(closed - pl.duration(microseconds=1)).dt.date(),
        )
        .with_columns(
            at_horizon=pl.lit(cut_off) >= pl.col("verdict_day"),
            week_day=pl.lit(cut_off).dt.offset_by(pl.format("-{}d", pl.col("days_run").mod(7))),
        )
        .with_columns(
            used_cut_off=pl.when(pl.col("plan_method").is_in(("always_valid", "sprt")))
            .then(pl.lit(cut_off))
            .otherwise(pl.min_horizontal(pl.lit(cut_off), "verdict_day"))
        )
    )


def with_early_end(timed: pl.DataFrame, comparisons: pl.DataFrame) -> pl.DataFrame:
    """When group sequential plans end before their verdict day: once every comparison has its planned information.

    The last look has spent the error by then, so that its numbers decide, as on a verdict day. A difference that shows
    still waits for whole weeks where the plan respects them.

    Args:
        timed: From `timing`.
        comparisons: Result rows, every cut-off up to the one judged.

    Returns:
        The frame with `ended_on` (null where the plan goes on), `at_horizon` and `used_cut_off` by it, and
        `guarded_cut_off`: guardrails are followed until the verdict day.
    """
    complete = (
        comparisons.filter(
            (pl.col("role") == "primary")
            & (pl.col("segment") == "all")
            & (pl.col("analysis") == "default")
            & pl.col("comparison").is_not_null()
        )
        .group_by("experiment_id", "cut_off")
        .agg(
            complete=(pl.col("information_fraction") >= 1).fill_null(value=False).all(),
            showing=pl.col("seq_crossed").fill_null(value=False).any(),
        )
        .filter("complete")
        .sort("cut_off")
        .group_by("experiment_id")
        .agg(pl.col("cut_off").first().alias("ended_on"), pl.col("showing").first())
    )
    ended = (pl.col("plan_method") == "group_sequential") & (pl.col("ended_on") < pl.col("verdict_day"))
    waits = pl.col("whole_weeks") & pl.col("showing") & (pl.col("week_day") < pl.col("ended_on"))
    return (
        timed.join(complete, on="experiment_id", how="left")
        .with_columns(ended_on=pl.when(ended).then("ended_on"))
        .with_columns(
            at_horizon=pl.col("at_horizon") | (pl.col("ended_on").is_not_null() & ~waits),
            used_cut_off=pl.min_horizontal("used_cut_off", "ended_on"),
            guarded_cut_off="used_cut_off",
        )
        .drop("showing")
    )


def deciding_rows(comparisons: pl.DataFrame, timed: pl.DataFrame, uses: pl.DataFrame) -> pl.DataFrame:
    """The rows that may decide: totals of the declared analysis at the cut-off used, with flags per row.

    `showing` is a difference that the plan recognises now; `won` and `lost` are conclusions about primary
    metrics, `harmed` and `uncleared` about guardrails. `unfit` lacks what its test requires: it supports no conclusion,
    that there is no difference neither. A guardrail with a margin is harmed only beyond it, and
    cleared only when the interval that holds at every look lies inside it. `worse` is a significant loss of any other
    metric, told beside a verdict. `given_up_on` is the day on which a plan bound itself to stop.
    """
    wanted = (
        pl.when(pl.col("crossovers") == "exclude")
        .then(pl.lit("crossovers_excluded"))
        .otherwise(pl.lit("default"))
    )
    every = (
        comparisons.filter(pl.col("segment") == "all")
        .drop("role", "direction", "window_start", "window_end", "definition_hash")
        .join(uses.drop("unit", "test", "percentile"), on=["experiment_id", "metric"])
        .join(timed, on="experiment_id")
        .filter(pl.col("analysis") == wanted)
    )
    given_up = first_given_up(every)
    every = every.with_columns(seq_crossed=_crossed_this_way())
    sure = _surely_best() | _surely_worse()
    key = ["experiment_id", "metric", "variant_id"]
    week = every.filter(pl.col("cut_off") == pl.col("week_day")).select(
        *key, crossed_by_week="seq_crossed", sure_by_week=sure
    )
    used = pl.when(pl.col("role") == "guardrail").then("guarded_cut_off").otherwise("used_cut_off")
    rows = every.filter(pl.col("cut_off") == used).join(week, on=key, how="left")
    sequential = pl.col("plan_method").is_in(SEQUENTIAL)
    bayesian = pl.col("plan_method") == "bayesian"
    showing = (
        pl.when(sequential)
        .then(pl.col("seq_crossed"))
        .when(bayesian)
        .then(sure)
        .otherwise(pl.col("at_horizon") & (pl.col("p_adjusted") <= pl.col("alpha")))
    ).fill_null(value=False)
    by_week = pl.when(sequential).then(pl.col("crossed_by_week")).when(bayesian).then(pl.col("sure_by_week"))
    decisive = (
        pl.when((sequential | bayesian) & pl.col("whole_weeks") & ~pl.col("at_horizon"))
        .then(showing & by_week.fill_null(value=False))
        .otherwise(showing)
    )
    # What a test asks of its data and does not get bars every verdict that would rest on it.
    sound = pl.col("requirements_met").fill_null(value=True)
    good = GAIN > 0
    primary, guardrail = pl.col("role") == "primary", pl.col("role") == "guardrail"
    beyond = pl.col("margin").is_null() | (pl.col("finding") == "harmed")
    crossed = pl.col("seq_crossed").fill_null(value=False)
    # Data that do not meet what the test requires clear nothing either.
    unclear = pl.col("margin").is_not_null() & ((pl.col("finding") != "within_margin") | ~sound)
    rows = rows.join(given_up, on="experiment_id", how="left")
    return with_prospects(rows).with_columns(
        showing=(primary & showing).fill_null(value=False),
        won=(primary & decisive & good & sound).fill_null(value=False),
        lost=(primary & decisive & ~good & sound).fill_null(value=False),
        barred=(primary & decisive & ~sound).fill_null(value=False),
        unfit=(primary & ~sound).fill_null(value=False),
        harmed=(guardrail & crossed & ~good & beyond & sound).fill_null(value=False),
        accepted=(primary & pl.col("seq_accepted")).fill_null(value=False),
        uncleared=guardrail & (unclear.fill_null(value=True) | (crossed & ~good & ~sound)),
        gain=GAIN,
        # Guardrails are told by the band that holds at every look, as their interval is.
        worse=(~primary & sound & pl.when(guardrail).then(crossed).otherwise(decisive) & ~good).fill_null(
            value=False
        ),
    )


def _surely_best() -> pl.Expr:
    """The best arm with the declared probability, and choosing it is expected to lose next to nothing."""
    tolerated = pl.col("best_loss") <= TOLERATED_LOSS * pl.col("minimum_abs")
    return (pl.col("prob_best") >= pl.col("winner_probability")) & tolerated.fill_null(value=True)


def _surely_worse() -> pl.Expr:
    """Worse than the control with the declared probability, shared between the arms (Bonferroni)."""
    return pl.col("prob_beat") <= (1 - pl.col("winner_probability")) / (pl.col("arms") - 1).clip(1)


def _crossed_this_way() -> pl.Expr:
    """A bound was crossed and the effect still points that way: one that turned round since shows nothing."""
    line = ("experiment_id", "metric", "variant_id")
    way = pl.col("lift_abs").sign()
    crossed = pl.col("seq_crossed").fill_null(value=False)
    return crossed & (way == way.filter(crossed).first().over(line, order_by="cut_off"))


_judged = (pl.col("role") == "primary") & (pl.col("status") == "ok")


def arm_summary(rows: pl.DataFrame) -> pl.DataFrame:
    """One row per experiment and treatment arm: what its metrics say together."""
    treated = rows.filter(pl.col("comparison").is_not_null())
    return treated.group_by("experiment_id", "variant_id", maintain_order=True).agg(
        pl.col("showing").any(),
        pl.col("won").any() & ~pl.col("lost").any(),
        pl.col("lost").any(),
        pl.col("harmed").any(),
        pl.col("uncleared").any(),
        pl.col("barred").any(),
        pl.col("poor").any(),
        judged=_judged.any(),
        unfit=pl.col("unfit").filter(_judged).all() & _judged.any(),
        accepted=pl.col("accepted").filter(pl.col("role") == "primary").all(),
        success_chance=pl.col("success_chance").max(),
        gain=pl.col("gain").filter(pl.col("role") == "primary").first(),
    )
