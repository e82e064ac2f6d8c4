"""The plain decision: one row per experiment, by the first rule that applies, with its reasons in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from analysis.judgement.arms import arm_summary, deciding_rows, timing, with_early_end
from analysis.judgement.effect_wording import effect_text
from analysis.judgement.information import SEQUENTIAL
from analysis.judgement.prospects import FUTILE_BELOW
from analysis.judgement.wording import listed, percent

if TYPE_CHECKING:
    from datetime import date


@dataclass(frozen=True, slots=True)
class Rule:
    """A decision and when it is taken.

    Attributes:
        reason: Its code.
        when: Over the columns that `_situations` gives.
        decision: continue, stop, extend, modify or inconclusive.
        action: What to do now.
        variant: Column that holds the arm concerned, or nothing.
        sentence: Template over the same columns.
    """

    reason: str
    when: pl.Expr
    decision: str
    action: str
    sentence: str
    variant: str | None = None


_two_arms = pl.col("arms") == 2
_ramping = (
    pl.col("ramp_to").is_not_null()
    & ~pl.col("at_horizon")
    & pl.col("winner").is_null()
    & pl.col("lost_arm").is_null()
    & (pl.col("type") != "aa")
)
_bandit = pl.col("type") == "bandit"
# A bandit ends with its best arm, not with the first that beats the control.
_may_stop = (pl.col("stop_for_efficacy") | pl.col("at_horizon")) & ~_bandit
_best_may_stop = (
    _bandit
    & pl.col("best_arm").is_not_null()
    & (
        (pl.col("stop_for_efficacy") & (~pl.col("whole_weeks") | (pl.col("days_run") % 7 == 0)))
        | pl.col("at_horizon")
    )
)

#: The first rule that applies decides. Invalid data come first: nothing is concluded from them.
RULES = (
    Rule(
        "invalid",
        pl.col("failed").list.len() > 0,
        "modify",
        "fix_data",
        "Fix the data before reading any result: {failed_text}",
    ),
    Rule(
        "not_started",
        pl.col("experiment_status") == "draft",
        "continue",
        "wait",
        "The experiment is a draft; nobody is exposed.",
    ),
    Rule(
        "no_exposure",
        pl.col("units") + pl.col("open_units") == 0,
        "continue",
        "wait",
        "No unit has been exposed yet.",
    ),
    Rule(
        "guardrail_harmed",
        pl.col("stop_for_harm") & pl.col("harmed_arm").is_not_null() & (_two_arms | pl.col("all_harmed")),
        "stop",
        "roll_back",
        "Roll back: {harmed_arm} harms {harmed_text}.",
        "control_id",
    ),
    Rule(
        "guardrail_harmed",
        pl.col("stop_for_harm") & pl.col("harmed_arm").is_not_null(),
        "modify",
        "disable_arm",
        "Disable {harmed_arm}: it harms {harmed_text}.",
        "harmed_arm",
    ),
    Rule(
        "ramp_advances",
        _ramping & pl.col("ramp_time_over") & (pl.col("smallest_exposed") >= pl.col("ramp_min_sample")),
        "modify",
        "widen_traffic",
        "Widen the traffic from {ramp_from_text} to {ramp_to_text}: step {ramp_step} of {ramp_steps} has its time"
        " and its units, and no guardrail is harmed.",
    ),
    Rule(
        "ramp_holds",
        _ramping,
        "continue",
        "wait",
        "Hold at {ramp_from_text} of the traffic: day {ramp_days} of {ramp_after_text} at this step, and the smallest"
        " arm has {smallest_exposed:,} of {ramp_min_sample:,} units.",
    ),
    Rule(
        "no_closed_window",
        pl.col("units") == 0,
        "continue",
        "wait",
        "{open_units:,} units are exposed, and no metric window has closed yet.",
    ),
    Rule(
        "below_min_sample",
        (pl.col("smallest_arm") < pl.col("min_sample")) & pl.col("at_horizon"),
        "extend",
        "extend",
        "The planned time is over, but an arm has {smallest_arm:,} of the {min_sample:,} units that the plan asks for.",
    ),
    Rule(
        "below_min_sample",
        pl.col("smallest_arm") < pl.col("min_sample"),
        "continue",
        "wait",
        "Too early: the smallest arm has {smallest_arm:,} of {min_sample:,} units.",
    ),
    Rule(
        "aa_difference",
        (pl.col("type") == "aa") & pl.col("any_showing"),
        "modify",
        "investigate",
        "An A/A experiment differs between its arms: look for a fault in assignment, logging or the metric.",
    ),
    Rule(
        "aa_clean",
        (pl.col("type") == "aa") & pl.col("at_horizon"),
        "stop",
        "keep_control",
        "The A/A experiment found no difference, as it should.",
        "control_id",
    ),
    Rule(
        "futile",
        pl.col("stop_for_futility") & pl.col("given_up_on").is_not_null(),
        "stop",
        "keep_control",
        "Stop: since {given_up_on} there was hardly a chance of a clear result, and the plan binds itself to end then.",
        "control_id",
    ),
    Rule(
        "primary_improved",
        pl.col("winner").is_not_null() & _may_stop,
        "stop",
        "ship",
        "Ship {winner}: {winner_text}{guardrail_text}.",
        "winner",
    ),
    Rule(
        "primary_harmed",
        pl.col("lost_arm").is_not_null() & (_two_arms | pl.col("all_lost")) & _may_stop,
        "stop",
        "roll_back",
        "Roll back: {lost_arm} does worse, {lost_text}.",
        "control_id",
    ),
    Rule(
        "primary_harmed",
        pl.col("lost_arm").is_not_null() & _may_stop,
        "modify",
        "disable_arm",
        "Disable {lost_arm}: it does worse, {lost_text}.",
        "lost_arm",
    ),
    Rule(
        "whole_weeks",
        pl.col("any_showing") & ~pl.col("at_horizon") & ~_bandit,
        "continue",
        "wait",
        "A difference is showing; whole weeks are awaited before it may decide ({days_run} days so far).",
    ),
    Rule(
        "poor_performer",
        pl.col("poor_arm").is_not_null() & (_two_arms | pl.col("all_poor")),
        "stop",
        "roll_back",
        "Roll back: {poor_arm} stays below the floor that the plan sets ({poor_metric} {poor_threshold:g}).",
        "control_id",
    ),
    Rule(
        "poor_performer",
        pl.col("poor_arm").is_not_null(),
        "modify",
        "disable_arm",
        "Disable {poor_arm}: it stays below the floor that the plan sets ({poor_metric} {poor_threshold:g}).",
        "poor_arm",
    ),
    Rule(
        "best_arm",
        _best_may_stop & (pl.col("best_arm") == pl.col("control_id")),
        "stop",
        "keep_control",
        "Stop and keep {control_id}: it is better than every other arm, with an error of at most {error_text} however"
        " often one looks ({chances_text}).",
        "control_id",
    ),
    Rule(
        "best_arm",
        _best_may_stop,
        "stop",
        "ship",
        "Ship {best_arm}: it is better than every other arm, with an error of at most {error_text} however often one"
        " looks ({chances_text}).",
        "best_arm",
    ),
    Rule(
        "no_best_arm",
        _bandit & pl.col("at_horizon"),
        "inconclusive",
        "extend",
        "The planned time is over, and no arm is surely better than every other ({chances_text}).",
    ),
    Rule(
        "weights_follow",
        _bandit & pl.col("weights_due").fill_null(value=False),
        "modify",
        "set_weights",
        "Set the weights to {weights_text}, from {weights_from_text} ({chances_text}).",
    ),
    Rule(
        "weights_stay",
        _bandit,
        "continue",
        "wait",
        "The weights stay at {weights_from_text}: {weights_stay_text} ({chances_text}).",
    ),
    Rule(
        "futile",
        pl.col("stop_for_futility") & ~pl.col("at_horizon") & (pl.col("success_chance") < FUTILE_BELOW),
        "stop",
        "keep_control",
        "Stop: were the effect {minimum_text}, the chance of a clear result by the end would be {chance_text}.",
        "control_id",
    ),
    Rule(
        "guardrail_not_cleared",
        pl.col("winner_uncleared").is_not_null() & pl.col("at_horizon"),
        "inconclusive",
        "extend",
        "{winner_uncleared} improves the primary metric, but a guardrail may still be worse than its margin allows.",
        "winner_uncleared",
    ),
    Rule(
        "effect_below_minimum",
        pl.col("at_horizon") & pl.col("too_small"),
        "stop",
        "keep_control",
        "Keep {control_id}: any effect is smaller than the {minimum_text} worth finding.",
        "control_id",
    ),
    Rule(
        "null_accepted",
        pl.col("all_accepted"),
        "stop",
        "keep_control",
        "Stop: the test has decided for no effect over one of {minimum_text}: {lead_text}.",
        "control_id",
    ),
    Rule(
        "information_complete",
        pl.col("ended_on").is_not_null() & pl.col("at_horizon"),
        "stop",
        "keep_control",
        "Stop: all of the planned information is in, and there is no clear difference: {lead_text}.",
        "control_id",
    ),
    Rule(
        "underpowered",
        # A group sequential plan has spent its error by now.
        (pl.col("plan_method") != "group_sequential")
        & pl.col("at_horizon")
        & (pl.col("extend_days") > 0)
        & (pl.col("extend_days") <= pl.col("days_run")),
        "extend",
        "extend",
        "No clear result yet; about {extend_days} more days would find an effect of {minimum_text}.",
    ),
    Rule(
        "no_difference_found",
        pl.col("at_horizon"),
        "inconclusive",
        "keep_control",
        "No clear difference: {lead_text}.",
        "control_id",
    ),
    Rule(
        "collecting",
        pl.lit(value=True),
        "continue",
        "wait",
        "Keep running: day {days_run} of {planned_days}, and nothing may be concluded yet.",
    ),
)


def decision_rows(
    comparisons: pl.DataFrame,
    validity: pl.DataFrame,
    experiments: pl.DataFrame,
    uses: pl.DataFrame,
    cut_off: date,
    ramps: pl.DataFrame,
    weights: pl.DataFrame,
) -> pl.DataFrame:
    """One decision per experiment.

    Args:
        comparisons: Result rows, every cut-off up to this one.
        validity: Validity rows at this cut-off; any ``fail`` closes the gate.
        experiments: From `experiment_frame`.
        uses: From `use_frame`.
        cut_off: The day decided about.
        ramps: From `ramp_frame` at that day.
        weights: From `allocation_texts` at that day.

    Returns:
        Rows of the schema `DECISIONS`, in no particular order.
    """
    timed = timing(experiments, uses, cut_off).join(ramps, on="experiment_id", how="left")
    timed = with_early_end(timed.join(weights, on="experiment_id", how="left"), comparisons)
    rows = deciding_rows(comparisons, timed, uses)
    situations = _situations(rows, timed, validity)
    chosen = pl.lit(len(RULES) - 1)
    for number, rule in reversed(list(enumerate(RULES))):
        chosen = pl.when(rule.when.fill_null(value=False)).then(pl.lit(number)).otherwise(chosen)
    done = [
        _row(situation, cut_off) for situation in situations.with_columns(rule=chosen).iter_rows(named=True)
    ]
    return pl.DataFrame(done, infer_schema_length=None) if done else pl.DataFrame()


def _row(situation: dict[str, Any], cut_off: date) -> dict[str, Any]:
    rule = RULES[situation["rule"]]
    return {
        "experiment_id": situation["experiment_id"],
        "cut_off": cut_off,
        "decision": rule.decision,
        "action": rule.action,
        "variant_id": situation[rule.variant] if rule.variant else None,
        "reasons": [rule.reason, *(situation["failed"] if rule.reason == "invalid" else [])],
        "sentence": rule.sentence.format(**situation),
    }


def _situations(rows: pl.DataFrame, timed: pl.DataFrame, validity: pl.DataFrame) -> pl.DataFrame:
    """One row per experiment: every column that a rule or its sentence names."""
    arms = arm_summary(rows)
    flags = arms.group_by("experiment_id", maintain_order=True).agg(
        any_showing=pl.col("showing").any(),
        all_harmed=pl.col("harmed").all(),
        all_lost=pl.col("lost").all(),
        harmed_arm=pl.col("variant_id").filter(pl.col("harmed")).first(),
        lost_arm=pl.col("variant_id").filter(pl.col("lost")).first(),
        poor_arm=pl.col("variant_id").filter(pl.col("poor")).first(),
        all_poor=pl.col("poor").all(),
        all_accepted=pl.col("accepted").all(),
        # Null where any arm has no chance computed: then nothing is given up.
        success_chance=pl.when(pl.col("success_chance").is_not_null().all()).then(
            pl.col("success_chance").max()
        ),
        winner=_best(pl.col("won") & ~pl.col("harmed") & ~pl.col("uncleared")),
        winner_uncleared=_best(pl.col("won") & ~pl.col("harmed") & pl.col("uncleared")),
    )
    lead = (
        rows.filter(pl.col("role") == "primary")
        .group_by("experiment_id", maintain_order=True)
        .agg(pl.all().first())
        .select("experiment_id", "metric")
    )
    leading = rows.join(lead, on=["experiment_id", "metric"], how="semi")
    counts = leading.group_by("experiment_id", maintain_order=True).agg(
        units=pl.col("n").sum(),
        open_units=pl.col("n_open").sum(),
        smallest_arm=pl.col("n").min(),
        smallest_exposed=(pl.col("n") + pl.col("n_open")).min(),
        minimum=pl.col("minimum_effect").first(),
        mde=pl.col("mde_rel").max(),
        best_case=(pl.when(pl.col("sign") > 0).then(_end("high")).otherwise(-_end("low"))).max(),
        control_id=pl.col("comparison").drop_nulls().first(),
        given_up_on=pl.col("given_up_on").first(),
    )
    failed = (
        validity.filter(pl.col("status") == "fail")
        .group_by("experiment_id", maintain_order=True)
        .agg(failed=pl.col("check").unique(maintain_order=True), failed_text=pl.col("sentence").first())
    )
    texts = _texts(rows)
    result = (
        timed.join(flags, on="experiment_id", how="left")
        .join(counts, on="experiment_id", how="left")
        .join(failed, on="experiment_id", how="left")
        .with_columns(
            pl.col("failed").fill_null([]),
            pl.col("units", "open_units", "smallest_arm", "smallest_exposed").fill_null(0),
            planned_days=(pl.col("verdict_day") - pl.col("start_at").dt.date()).dt.total_days() + 1,
            too_small=pl.col("best_case") < pl.col("minimum"),
            extend_days=(((pl.col("mde") / pl.col("minimum")) ** 2 - 1) * pl.col("days_run"))
            .ceil()
            .cast(pl.Int64),
            chance_text=pl.col("success_chance").map_elements(_chance, return_dtype=pl.String),
            error_text=pl.col("alpha").map_elements(_chance, return_dtype=pl.String),
            minimum_text=pl.col("minimum").map_elements(percent, return_dtype=pl.String),
        )
    )
    for name, arm in (("harmed_text", "harmed_arm"), ("winner_text", "winner"), ("lost_text", "lost_arm")):
        result = result.join(
            texts.select("experiment_id", pl.col("variant_id").alias(arm), pl.col(name)),
            on=["experiment_id", arm],
            how="left",
        )
    any_text = texts.group_by("experiment_id", maintain_order=True).agg(
        pl.col("lead_text", "guardrail_text").first()
    )
    return result.join(any_text, on="experiment_id", how="left")


def _end(side: str) -> pl.Expr:
    """An end of the relative interval that the plan may use."""
    looks = pl.col("plan_method").is_in(SEQUENTIAL)
    return pl.when(looks).then(f"seq_rel_{side}").otherwise(f"lift_rel_{side}")


def _chance(value: float) -> str:
    return percent(value, signed=False)


def _best(mask: pl.Expr) -> pl.Expr:
    return (
        pl.col("variant_id")
        .sort_by("gain", descending=True, nulls_last=True)
        .filter(mask.sort_by("gain", descending=True, nulls_last=True))
        .first()
    )


def _texts(rows: pl.DataFrame) -> pl.DataFrame:
    """What is said about each arm."""
    treated = rows.filter(pl.col("comparison").is_not_null())
    texts = []
    for (experiment, arm), part in treated.group_by("experiment_id", "variant_id", maintain_order=True):
        entries = list(part.iter_rows(named=True))
        primary = [row for row in entries if row["role"] == "primary"]
        guardrails = any(row["role"] == "guardrail" for row in entries)
        texts.append(
            {
                "experiment_id": experiment,
                "variant_id": arm,
                "winner_text": listed([effect_text(row) for row in primary if row["won"]] or [""]),
                "lost_text": listed([effect_text(row) for row in primary if row["lost"]] or [""]),
                "harmed_text": listed([effect_text(row) for row in entries if row["harmed"]] or [""]),
                "lead_text": effect_text(primary[0]) if primary else "",
                "guardrail_text": ", and no guardrail is harmed" if guardrails else "",
            }
        )
    names = (
        "experiment_id",
        "variant_id",
        "winner_text",
        "lost_text",
        "harmed_text",
        "lead_text",
        "guardrail_text",
    )
    return pl.DataFrame(texts, schema=dict.fromkeys(names, pl.String))
