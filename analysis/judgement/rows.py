"""The columns of the result tables, in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Mapping

_TEXT, _REAL, _WHOLE, _TRUTH = pl.String(), pl.Float64(), pl.Int64(), pl.Boolean()

#: What a test asks of its data: `requirement` is a code, `rule` "at least" or "at most".
REQUIREMENT = pl.List(
    pl.Struct(
        {
            "requirement": pl.String(),
            "rule": pl.String(),
            "required": pl.Float64(),
            "observed": pl.Float64(),
            "met": pl.Boolean(),
        }
    )
)

#: `results.comparisons`: one row per cut-off, metric, segment level, analysis and variant. `total`, `mean`,
#: `variance` and `std_error` are the arm's own, unadjusted; `lift_*` compare it with `comparison` (the control)
#: and are null on the control's own row. Intervals are closed; `ci_level` is theirs after the correction.
#: `control_mean` is what a lift is relative to: the control's mean under the lift's own weighting. Where arms are
#: compared inside strata, `stratified_by` says by what, `strata` how many count, `left_out` how many units of the two
#: arms are in none of them, and `pooled_*` what all units thrown together would say; `phase_mean` is an arm's mean with
#: the phases weighted alike in all arms.
#: A bandit's `mean`, `std_error` and `lift_*` are adaptively weighted (method ``adaptive_weights``).
#: `prob_best` and `best_loss` compare an arm of a Bayesian plan with all others; its `lift_abs` lies between
#: `credible_low` and `credible_high` with a probability of 1 - `alpha`.
#: `seq_*` hold however often one looks; they are those of the look on `seq_look`, the cut-off itself unless that is no
#: look. Where a relative interval has no end yet, it has from about `seq_units_needed` units of the arm on.
#: `corrected_*`, from the look on which a group sequential plan crossed its bound: the median-unbiased difference, its
#: interval at the plan's level and the p of no effect, in the stagewise ordering; an end that is open is null.
#: `seq_accepted`: Wald's test has accepted that there is no effect. `lift_rel*` are shares of the control's absolute
#: value, null with `lift_rel_reason` where the control cannot be told from zero or the test compares no values;
#: `shown_as` says which form a reader is told. `minimum_abs`, `margin_abs` and `mde_abs` are in the metric's unit.
#: On a segment level's row of a primary metric, `heterogeneity_*` tests whether the arm's effect differs between the
#: levels (`segment_effects`), and `shrunken_*` is the level's effect drawn in towards the others, in the metric's unit.
#: `finding` and `below_minimum` are what the row shows, by `direction.findings`.
COMPARISONS: Mapping[str, pl.DataType] = {
    "experiment_id": _TEXT,
    "cut_off": pl.Date(),
    "metric": _TEXT,
    "role": _TEXT,
    "segment": _TEXT,
    "segment_level": _TEXT,
    "analysis": _TEXT,
    "variant_id": _TEXT,
    "comparison": _TEXT,
    "method": _TEXT,
    "n": _WHOLE,
    "n_open": _WHOLE,
    "total": _REAL,
    "mean": _REAL,
    "variance": _REAL,
    "std_error": _REAL,
    "lift_abs": _REAL,
    "lift_abs_low": _REAL,
    "lift_abs_high": _REAL,
    "lift_std_error": _REAL,
    "lift_rel": _REAL,
    "lift_rel_low": _REAL,
    "lift_rel_high": _REAL,
    "lift_rel_bounded": _TRUTH,
    "lift_rel_reason": _TEXT,
    "shown_as": _TEXT,
    "ci_level": _REAL,
    "statistic": _REAL,
    "df": _REAL,
    "p_value": _REAL,
    "p_adjusted": _REAL,
    "seq_low": _REAL,
    "seq_high": _REAL,
    "seq_rel_low": _REAL,
    "seq_rel_high": _REAL,
    "seq_p_value": _REAL,
    "seq_bound": _REAL,
    "seq_crossed": _TRUTH,
    "seq_accepted": _TRUTH,
    "seq_look": pl.Date(),
    "seq_units_needed": _REAL,
    "corrected_lift": _REAL,
    "corrected_low": _REAL,
    "corrected_high": _REAL,
    "corrected_p_value": _REAL,
    "information_fraction": _REAL,
    "effect_size": _REAL,
    "effect_label": _TEXT,
    "power": _REAL,
    "mde_rel": _REAL,
    "mde_abs": _REAL,
    "minimum_abs": _REAL,
    "margin_abs": _REAL,
    "prob_beat": _REAL,
    "expected_loss": _REAL,
    "prob_best": _REAL,
    "best_loss": _REAL,
    "credible_low": _REAL,
    "credible_high": _REAL,
    "cuped": _TRUTH,
    "variance_reduction": _REAL,
    "covariate_status": _TEXT,
    "control_mean": _REAL,
    "stratified_by": _TEXT,
    "strata": _WHOLE,
    "left_out": _WHOLE,
    "pooled_lift_abs": _REAL,
    "pooled_lift_rel": _REAL,
    "pooled_p_value": _REAL,
    "phase_mean": _REAL,
    "phase_std_error": _REAL,
    "heterogeneity_statistic": _REAL,
    "heterogeneity_df": _REAL,
    "heterogeneity_p_value": _REAL,
    "heterogeneity_p_adjusted": _REAL,
    "shrunken_lift": _REAL,
    "shrunken_low": _REAL,
    "shrunken_high": _REAL,
    "requirements_met": _TRUTH,
    "requirements": REQUIREMENT,
    "status": _TEXT,
    "reason": _TEXT,
    "finding": _TEXT,
    "below_minimum": _TRUTH,
    "unit": _TEXT,
    "direction": _TEXT,
    "window_start": _TEXT,
    "window_end": _TEXT,
    "definition_hash": _TEXT,
    "code_hash": _TEXT,
}

#: `results.validity`: one row per check and place. `observed` and `expected` are text for people.
VALIDITY: Mapping[str, pl.DataType] = {
    "experiment_id": _TEXT,
    "cut_off": pl.Date(),
    "check": _TEXT,
    "segment": _TEXT,
    "segment_level": _TEXT,
    "status": _TEXT,
    "statistic": _REAL,
    "p_value": _REAL,
    "observed": _TEXT,
    "expected": _TEXT,
    "reason": _TEXT,
    "sentence": _TEXT,
}

#: `results.decisions`: one row per experiment. `also_disable` names arms that are disabled beside the action.
DECISIONS: Mapping[str, pl.DataType] = {
    "experiment_id": _TEXT,
    "cut_off": pl.Date(),
    "decision": _TEXT,
    "action": _TEXT,
    "variant_id": _TEXT,
    "reasons": pl.List(pl.String()),
    "sentence": _TEXT,
    "also_disable": pl.List(pl.String()),
}

#: `results.allocations`: one row per bandit, cut-off and variant. `weight` is the share in force at the end of the
#: cut-off, `n` counts closed reward windows, `mean` is theirs as the algorithm sees it (inside the phases, once the
#: arms' shares have moved), `next_weight` is what would
#: follow; without one `reason` says why the weights stay. `next_leaves` are the contexts with weights of their own that
#: would follow, a JSON list of `conditions` and `weights`; null without any.
ALLOCATIONS: Mapping[str, pl.DataType] = {
    "experiment_id": _TEXT,
    "cut_off": pl.Date(),
    "position": _WHOLE,
    "variant_id": _TEXT,
    "metric": _TEXT,
    "n": _WHOLE,
    "mean": _REAL,
    "weight": _REAL,
    "p_best": _REAL,
    "next_weight": _REAL,
    "is_best": _TRUTH,
    "reason": _TEXT,
    "next_leaves": _TEXT,
}

#: Numbers that are finite where they are given; the ends of relative intervals may be unbounded.
FINITE = (
    "total",
    "mean",
    "variance",
    "std_error",
    "lift_abs",
    "lift_rel",
    "statistic",
    "p_value",
    "p_adjusted",
)
COMPARISON_KEY = ("experiment_id", "cut_off", "metric", "segment", "segment_level", "analysis", "variant_id")
ALLOCATION_KEY = ("experiment_id", "cut_off", "position")
VALIDITY_KEY = ("experiment_id", "cut_off", "check", "segment", "segment_level")


def conform(frame: pl.DataFrame, schema: Mapping[str, pl.DataType], key: tuple[str, ...]) -> pl.DataFrame:
    """The schema's columns and types, NaN as null, sorted by key: equal input gives equal bytes."""
    missing = [pl.lit(None, dtype).alias(name) for name, dtype in schema.items() if name not in frame.columns]
    typed = frame.with_columns(missing).select(
        pl.col(name).cast(dtype).fill_nan(None) if dtype == pl.Float64() else pl.col(name).cast(dtype)
        for name, dtype in schema.items()
    )
    return typed.sort(key)
