"""What must hold of every result row, whatever the data (mission row M53)."""

from __future__ import annotations

import polars as pl

from fairsplit.analysis.judgement.rows import FINITE

#: Rounding that separates an interval's end from its estimate at most.
_SLACK = 1e-9

_DECISIONS = ("continue", "stop", "extend", "modify", "inconclusive")
_STATUSES = ("pass", "warn", "fail", "not_applicable")


def _between(low: str, value: str, high: str) -> pl.Expr:
    slack = _SLACK * (1 + pl.col(value).abs())
    return (pl.col(low) <= pl.col(value) + slack) & (pl.col(value) <= pl.col(high) + slack)


def _share(name: str) -> pl.Expr:
    return pl.col(name).is_between(0, 1)


#: Name of the rule, and what holds; a null satisfies (what cannot be computed has a reason instead).
_ROW_RULES: dict[str, pl.Expr] = {
    "p_value_in_range": _share("p_value"),
    "p_adjusted_in_range": _share("p_adjusted"),
    "seq_p_value_in_range": _share("seq_p_value"),
    "p_adjusted_not_below_p": pl.col("p_adjusted") >= pl.col("p_value") * (1 - _SLACK),
    "prob_beat_in_range": _share("prob_beat"),
    "power_in_range": _share("power"),
    "ci_level_in_range": pl.col("ci_level").is_between(0, 1, closed="none"),
    "counts_not_negative": (pl.col("n") >= 0) & (pl.col("n_open") >= 0),
    "units_where_ok": (pl.col("status") != "ok") | (pl.col("n") > 0),
    "value_where_ok": (pl.col("status") != "ok") | pl.col("mean").is_not_null(),
    "variance_not_negative": pl.col("variance") >= 0,
    "std_error_not_negative": pl.col("std_error") >= 0,
    "expected_loss_not_negative": pl.col("expected_loss") >= 0,
    "interval_contains_estimate": _between("lift_abs_low", "lift_abs", "lift_abs_high"),
    "relative_interval_contains_estimate": _between("lift_rel_low", "lift_rel", "lift_rel_high"),
    # A day that is no look keeps the interval of the look before.
    "sequential_interval_contains_estimate": (pl.col("seq_look") < pl.col("cut_off"))
    | _between("seq_low", "lift_abs", "seq_high"),
    "reason_where_not_ok": (pl.col("status") == "ok") | pl.col("reason").is_not_null(),
    "test_where_compared": (pl.col("status") != "ok")
    | pl.col("comparison").is_null()
    | (pl.col("p_value").is_not_null() & pl.col("lift_abs").is_not_null()),
    "no_test_where_not_ok": (pl.col("status") == "ok") | pl.col("p_value").is_null(),
    "window_named": pl.col("window_start").is_not_null() & pl.col("window_end").is_not_null(),
    "unit_named": pl.col("unit").is_not_null() & (pl.col("unit") != ""),
    "direction_known": pl.col("direction").is_in(["increase", "decrease"]),
    "definition_hash_given": pl.col("definition_hash").str.len_chars() > 0,
    "numbers_finite": pl.all_horizontal(pl.col(name).is_null() | pl.col(name).is_finite() for name in FINITE),
}


def violations(comparisons: pl.DataFrame, validity: pl.DataFrame, decisions: pl.DataFrame) -> pl.DataFrame:
    """Rows that break an invariant.

    Args:
        comparisons: Rows of `COMPARISONS`.
        validity: Rows of `VALIDITY`.
        decisions: Rows of `DECISIONS`.

    Returns:
        Columns rule, experiment_id, place; empty when all is well.
    """
    place = pl.concat_str(
        "cut_off",
        "metric",
        "segment",
        "segment_level",
        "analysis",
        "variant_id",
        separator=" ",
        ignore_nulls=True,
    )
    found = [
        comparisons.filter(~rule.fill_null(value=True)).select(
            pl.lit(name).alias("rule"), "experiment_id", place.alias("place")
        )
        for name, rule in _ROW_RULES.items()
    ]
    check = pl.concat_str(
        "cut_off", "check", "segment", "segment_level", separator=" ", ignore_nulls=True
    ).alias("place")
    known = pl.col("status").is_in(_STATUSES) & (_share("p_value").fill_null(value=True))
    said = pl.col("sentence").str.len_chars() > 0
    found.append(
        validity.filter(~(known & said).fill_null(value=False)).select(
            pl.lit("validity_row_sound").alias("rule"), "experiment_id", check
        )
    )
    sound = pl.col("decision").is_in(_DECISIONS) & (pl.col("reasons").list.len() > 0) & said
    found.append(
        decisions.filter(~sound.fill_null(value=False)).select(
            pl.lit("decision_row_sound").alias("rule"),
            "experiment_id",
            pl.col("cut_off").cast(pl.String).alias("place"),
        )
    )
    gated = validity.filter(pl.col("status") == "fail").select("experiment_id", "cut_off").unique()
    day = pl.col("cut_off").cast(pl.String).alias("place")
    found.append(
        decisions.join(gated, on=["experiment_id", "cut_off"], how="semi")
        .filter(pl.col("action") != "fix_data")
        .select(pl.lit("invalid_has_no_verdict").alias("rule"), "experiment_id", day)
    )
    return pl.concat(found)
