"""Units lost on the way from exposure to analysis, and units seen in two arms: equal in every arm, or not?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from analysis.judgement.split import mixed_sequential
from analysis.judgement.wording import count_text, p_text, percent

if TYPE_CHECKING:
    from datetime import date

    from analysis.catalogue.project import Thresholds


def crossover_rows(
    daily: pl.DataFrame, experiments: pl.DataFrame, thresholds: Thresholds, cut_off: date
) -> pl.DataFrame:
    """Validity row ``crossovers``: the share of units seen in two arms, and whether it differs between arms.

    A share above the threshold warns. Unequal shares fail an experiment that excludes such units, since then
    the arms are no longer comparable; where they stay in (the default) unequal shares only warn.
    """
    arms = (
        daily.filter((pl.col("exposure_day") <= cut_off) & (pl.col("segment") == "all"))
        .group_by("experiment_id", "variant_id", maintain_order=True)
        .agg(kept=pl.col("units").sum().cast(pl.Float64), lost=pl.col("crossovers").sum().cast(pl.Float64))
        .with_columns(kept=pl.col("kept") - pl.col("lost"))
    )
    totals = _by_place(arms, ["experiment_id"]).join(
        experiments.select("experiment_id", "crossovers"), on="experiment_id", how="inner"
    )
    share = pl.col("lost") / pl.col("all")
    unequal = pl.col("p_value") < thresholds.loss_warn
    status = (
        pl.when((pl.col("crossovers") == "exclude") & (pl.col("p_value") < thresholds.loss_fail))
        .then(pl.lit("fail"))
        .when(unequal | (share > thresholds.crossover_warn))
        .then(pl.lit("warn"))
        .otherwise(pl.lit("pass"))
    )
    reason = (
        pl.when(unequal)
        .then(pl.lit("differential_crossovers"))
        .when(share > thresholds.crossover_warn)
        .then(pl.lit("many_crossovers"))
    )
    rows = totals.with_columns(status=status, reason=reason, share=share)
    return _finished(rows, "crossovers", "seen in two arms")


def exposure_order_rows(early_outcomes: pl.DataFrame, thresholds: Thresholds, cut_off: date) -> pl.DataFrame:
    """Validity row ``exposure_order``: outcomes that came before the exposure in the same session.

    An exposure that is logged after what it should have caused takes the outcome out of the window. A share above
    the threshold warns; unequal shares fail, since then the arms lose their outcomes differently.

    Args:
        early_outcomes: Per experiment, variant and exposure day `units` with an outcome in the session, and `early`
            ones among them.
        thresholds: The share at which it warns, the p-values of equal shares at which it warns and fails.
        cut_off: Last day that counts.

    Returns:
        Rows of the schema `VALIDITY` but for the cut-off.
    """
    arms = (
        early_outcomes.filter(pl.col("exposure_day") <= cut_off)
        .group_by("experiment_id", "variant_id", maintain_order=True)
        .agg(
            lost=pl.col("early").sum().cast(pl.Float64),
            kept=(pl.col("units") - pl.col("early")).sum().cast(pl.Float64),
        )
    )
    if arms.is_empty():
        return pl.DataFrame()
    share = pl.col("lost") / pl.col("all")
    unequal, many = pl.col("p_value") < thresholds.loss_warn, share > thresholds.early_outcome_warn
    rows = _by_place(arms, ["experiment_id"]).with_columns(
        status=pl.when(pl.col("p_value") < thresholds.loss_fail)
        .then(pl.lit("fail"))
        .when(unequal | many)
        .then(pl.lit("warn"))
        .otherwise(pl.lit("pass")),
        reason=pl.when(unequal)
        .then(pl.lit("differential_early_outcomes"))
        .when(many)
        .then(pl.lit("exposure_after_outcome")),
        share=share,
    )
    return _finished(rows, "exposure_order", "with an outcome in the session of their exposure had it before")


def loss_rows(
    losses: pl.DataFrame, daily: pl.DataFrame, variants: pl.DataFrame, thresholds: Thresholds, cut_off: date
) -> pl.DataFrame:
    """Validity rows ``loss:<step>``: units lost per arm at each step, tested for equal shares.

    Args:
        losses: `fct_losses`: units lost per experiment, variant and step; variants that are not declared count
            as lost units but take no part in the test.
        daily: `fct_daily_exposures`, for the units kept.
        variants: From `variant_frame`.
        thresholds: p-values at which the check warns and fails.
        cut_off: Last day that counts.

    Returns:
        Rows of the schema `VALIDITY` but for the cut-off.
    """
    declared = variants.select("experiment_id", "variant_id")
    kept = (
        daily.filter((pl.col("exposure_day") <= cut_off) & (pl.col("segment") == "all"))
        .group_by("experiment_id", "variant_id", maintain_order=True)
        .agg(kept=pl.col("units").sum().cast(pl.Float64))
    )
    steps = losses.select("experiment_id", "step").unique()
    arms = (
        steps.join(declared, on="experiment_id")
        .join(kept, on=["experiment_id", "variant_id"], how="left")
        .join(
            losses.group_by("experiment_id", "variant_id", "step", maintain_order=True).agg(
                lost=pl.col("units").sum().cast(pl.Float64)
            ),
            on=["experiment_id", "variant_id", "step"],
            how="left",
        )
        .with_columns(pl.col("kept").fill_null(0.0), pl.col("lost").fill_null(0.0))
    )
    rows = _by_place(arms, ["experiment_id", "step"])
    status = (
        pl.when(pl.col("p_value") < thresholds.loss_fail)
        .then(pl.lit("fail"))
        .when(pl.col("p_value") < thresholds.loss_warn)
        .then(pl.lit("warn"))
        .otherwise(pl.lit("pass"))
    )
    reason = pl.when(pl.col("p_value") < thresholds.loss_warn).then(pl.lit("differential_loss"))
    rows = rows.with_columns(status=status, reason=reason, share=pl.col("lost") / pl.col("all"))
    if rows.is_empty():
        return pl.DataFrame()
    done = _finished(rows, "loss", "lost")
    return done.with_columns(
        check=pl.concat_str(pl.lit("loss:"), rows["step"]),
        sentence=pl.concat_str(rows["step"].str.replace_all("_", " "), pl.lit(": "), pl.col("sentence")),
    )


def _by_place(arms: pl.DataFrame, place: list[str]) -> pl.DataFrame:
    """Units lost per arm of each place against the arms' shares of all units, anytime-valid.

    Given that a unit was lost, equal loss gives it to an arm with that arm's share of all units. The mixture of
    Dirichlet-multinomial Bayes factors depends on the counts so far alone, so the test may be repeated every day.
    """
    arms = arms.sort(*place, "variant_id").with_columns(
        all=pl.col("lost") + pl.col("kept"), arm=pl.int_range(pl.len()).over(place)
    )
    totals = (
        arms.with_columns(
            due=pl.col("lost").sum().over(place) * pl.col("all") / pl.col("all").sum().over(place)
        )
        .group_by(place, maintain_order=True)
        .agg(pl.col("lost", "all").sum(), per_arm="lost", due_per_arm="due")
        .with_columns(pl.col("due_per_arm").list.eval(pl.element().fill_nan(0.0)))
    )
    at = arms.join(totals.select(place).with_row_index("place"), on=place, how="left", maintain_order="left")
    counts, weights = (np.zeros((totals.height, 1, int(at["arm"].max() or 0) + 1)) for _ in range(2))  # type: ignore[arg-type]
    counts[at["place"].to_numpy(), 0, at["arm"].to_numpy()] = at["lost"].to_numpy()
    weights[at["place"].to_numpy(), 0, at["arm"].to_numpy()] = at["all"].to_numpy()
    p_value, log_bayes_factor = mixed_sequential(counts, weights)
    return totals.with_columns(
        p_value=pl.Series(p_value[:, -1]).fill_nan(None),
        statistic=pl.Series(log_bayes_factor[:, -1]).fill_nan(None),
    )


def _finished(rows: pl.DataFrame, check: str, what: str) -> pl.DataFrame:
    observed = [count_text(arms) for arms in rows["per_arm"]]
    expected = [count_text([round(value, 1) for value in arms]) for arms in rows["due_per_arm"]]
    sentences = [_sentence(row, what) for row in rows.iter_rows(named=True)]
    return rows.select(
        "experiment_id",
        pl.lit(check).alias("check"),
        pl.lit("all").alias("segment"),
        pl.lit("all").alias("segment_level"),
        "status",
        pl.when(pl.col("p_value").is_not_null()).then("statistic").alias("statistic"),
        "p_value",
        pl.Series("observed", observed, dtype=pl.String),
        pl.Series("expected", expected, dtype=pl.String),
        "reason",
        pl.Series("sentence", sentences, dtype=pl.String),
    )


def _sentence(row: dict[str, Any], what: str) -> str:
    units = (
        f"{row['lost']:,.0f} of {row['all']:,.0f} units ({percent(row['share'] or 0.0, signed=False)}) {what}"
    )
    if row["p_value"] is None:
        return f"No unit {what}."
    verdict = (
        "unequally in the arms"
        if row["reason"] and "differential" in row["reason"]
        else "equally in the arms"
    )
    return f"{units}, {verdict} ({p_text(row['p_value'])})."
