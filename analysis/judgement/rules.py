"""The plain decisions in order: the first rule that applies decides."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from fairsplit.analysis.judgement.prospects import FUTILE_BELOW
from fairsplit.analysis.judgement.requirements import LEAST_UNITS


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
        alone: Whether nothing is said beside it; else arms that are set aside are named too.
    """

    reason: str
    when: pl.Expr
    decision: str
    action: str
    sentence: str
    variant: str | None = None
    alone: bool = False


_ramping = (
    pl.col("ramp_to").is_not_null()
    & ~pl.col("at_horizon")
    & pl.col("winner").is_null()
    & ~pl.col("any_lost")
    & (pl.col("type") != "aa")
)
_bandit = pl.col("type") == "bandit"
# A bandit ends with its best arm, not with the first that beats the control.
MAY_STOP = (pl.col("stop_for_efficacy") | pl.col("at_horizon")) & ~_bandit
_best_may_stop = (
    _bandit
    & pl.col("best_arm").is_not_null()
    & ~pl.col("out").list.contains(pl.col("best_arm")).fill_null(value=False)
    & (
        (pl.col("stop_for_efficacy") & (~pl.col("whole_weeks") | (pl.col("days_run") % 7 == 0)))
        | pl.col("at_horizon")
    )
)

#: Share of the planned information that may be wanting where it is said that nothing clear was found: the power is
#: within a few points of the planned one.
TOLERATED_SHORTFALL = 0.1

_short = pl.col("information_lacking") > TOLERATED_SHORTFALL
_planned = pl.col("mde_over_minimum").is_not_null() | (pl.col("min_sample") >= LEAST_UNITS)

#: States in which nobody is exposed any more.
ENDED = ("completed", "cancelled", "archived")

#: Why an arm is set aside, the gravest first. The others are then judged without it.
SET_ASIDE = ("guardrail_harmed", "primary_harmed", "poor_performer")

#: The first rule that applies decides. Invalid data come first: nothing is concluded from them.
RULES = (
    Rule(
        "invalid",
        pl.col("failed").list.len() > 0,
        "modify",
        "fix_data",
        "Fix the data before reading any result: {failed_text}",
        alone=True,
    ),
    Rule(
        "not_started",
        pl.col("experiment_status") == "draft",
        "continue",
        "wait",
        "The experiment is a draft; nobody is exposed.",
        alone=True,
    ),
    # A flat file may hold nothing but the arms' units.
    Rule(
        "split_only",
        pl.col("primary_arms") == 0,
        "inconclusive",
        "wait",
        "Only the split is judged, and it may be read on: no metric is given.",
        alone=True,
    ),
    Rule(
        "ended_unseen",
        (pl.col("units") + pl.col("open_units") == 0)
        & (pl.col("at_horizon") | pl.col("experiment_status").is_in(ENDED)),
        "inconclusive",
        "investigate",
        "It has ended and no unit was ever exposed: see whether the flag was evaluated and its exposures were sent.",
        alone=True,
    ),
    Rule(
        "no_exposure",
        pl.col("units") + pl.col("open_units") == 0,
        "continue",
        "wait",
        "No unit has been exposed yet.",
        alone=True,
    ),
    *(
        Rule(
            reason,
            pl.col("all_out") & (pl.col("out_reason") == reason),
            "stop",
            "roll_back",
            "Roll back: {out_text}.",
            "control_id",
            alone=True,
        )
        for reason in SET_ASIDE
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
        alone=True,
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
        pl.col("winner").is_not_null() & MAY_STOP,
        "stop",
        "ship",
        "Ship {winner}: {winner_text}{worse_text}{guardrail_text}.",
        "winner",
    ),
    Rule(
        "requirements_unmet",
        pl.col("barred_arm").is_not_null() & MAY_STOP & pl.col("at_horizon"),
        "inconclusive",
        "extend",
        "Nothing is decided: {barred_text}.",
        "barred_arm",
    ),
    Rule(
        "requirements_unmet",
        pl.col("barred_arm").is_not_null() & MAY_STOP,
        "continue",
        "wait",
        "Keep running: {barred_text}.",
    ),
    Rule(
        "whole_weeks",
        pl.col("any_showing") & ~pl.col("at_horizon") & ~_bandit,
        "continue",
        "wait",
        "A difference is showing; whole weeks are awaited before it may decide ({days_run} days so far).",
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
        "Set the weights to {weights_text} ({chances_text}).",
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
        "cannot_be_judged",
        pl.col("at_horizon") & ~pl.col("any_judged"),
        "inconclusive",
        "investigate",
        "No verdict: {unjudged_text}.",
    ),
    # Data that do not bear a verdict do not bear the word that there is no difference either.
    Rule(
        "requirements_unmet",
        pl.col("at_horizon") & pl.col("unfit_arm").is_not_null(),
        "inconclusive",
        "extend",
        "Nothing is decided: {unfit_text}.",
        "unfit_arm",
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
    # Too few for what was to be found: that says nothing of a difference.
    Rule(
        "too_few_to_tell",
        (pl.col("plan_method") == "group_sequential") & pl.col("at_horizon") & _short,
        "inconclusive",
        "keep_control",
        "Too few units to tell: {lead_text}. The plan has spent its error, so that an effect of {minimum_text} asks for"
        " a new experiment.",
        "control_id",
    ),
    Rule(
        "too_few_to_tell",
        pl.col("at_horizon") & _short,
        "inconclusive",
        "extend",
        "Too few units to tell: {lead_text}, and an effect of {minimum_text} would take about {extend_days} more days.",
    ),
    # A file that nobody planned: nothing says how many units are enough.
    Rule(
        "no_difference_found",
        pl.col("at_horizon") & ~_planned,
        "inconclusive",
        "wait",
        "No clear difference: {lead_text}.",
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
