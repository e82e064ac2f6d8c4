"""Did the arms differ before anybody was exposed? Then the split is not random, whatever the counts say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from fairsplit.analysis.judgement.looks import LEAST_PLANNED_UNITS
from fairsplit.analysis.judgement.pairing import moments, paired
from fairsplit.analysis.judgement.requirements import least_skewness
from fairsplit.analysis.judgement.strata import with_strata
from fairsplit.analysis.judgement.wording import p_text
from fairsplit.analysis.statistics.confidence_sequences import confidence_sequence
from fairsplit.analysis.statistics.means import welch
from fairsplit.analysis.statistics.multiplicity import adjust_p_values
from fairsplit.analysis.statistics.normality import difference_skewness
from fairsplit.analysis.statistics.proportions import LARGEST_SKEW
from fairsplit.analysis.statistics.status import Reason, quiet
from fairsplit.analysis.statistics.tails import infer

if TYPE_CHECKING:
    from datetime import date

    from fairsplit.analysis.catalogue.project import Thresholds
    from fairsplit.analysis.judgement.strata import Strata
    from fairsplit.analysis.statistics.checks import FloatArray
    from fairsplit.analysis.statistics.moments import Moments


def balance_rows(
    rows: pl.DataFrame, strata: Strata | None, ended: pl.Series, thresholds: Thresholds, cut_off: date
) -> pl.DataFrame:
    """Validity rows ``pre_period:<metric>`` for every metric whose pre-period measure is known.

    The difference between treatment and control before exposure, by a confidence sequence while it is looked at
    every day, and by Welch's test once the experiment has ended, or in a file: that is one look. Where few units of
    unequal arms have a value, the error is at least that of both arms together. Where weights changed the arms are
    compared inside phases, as their outcomes are: who comes later may be others. Holm over the
    metrics and arms of an experiment. The row shows the arm that differs most.

    Args:
        rows: From `defined_rows`.
        strata: From `strata_of`, or none.
        ended: From `ended_by`.
        thresholds: p-values at which the check warns and fails (those of unequal loss).
        cut_off: The day judged.

    Returns:
        Rows of the schema `VALIDITY` but for the cut-off.
    """
    now = rows.filter(
        (pl.col("cut_off") == cut_off) & (pl.col("segment") == "all") & (pl.col("analysis") == "default")
    )
    pairs = paired(now)
    pairs = pairs if strata is None else with_strata(pairs, strata)
    pairs = pairs.filter(
        pl.col("covered") & pl.col("covered_control") & (pl.col("n") > 1) & (pl.col("n_control") > 1)
    )
    if pairs.is_empty():
        return pl.DataFrame()
    control, treatment = moments(pairs, "x", "_control").variable(0), moments(pairs, "x").variable(0)
    test = welch(control, treatment)
    usable = np.flatnonzero(test.status == Reason.OK)
    if usable.size == 0:
        return pl.DataFrame()
    pairs = pairs[usable]
    units = (pairs["n"] + pairs["n_control"]).to_numpy()
    arms = control.take(usable), treatment.take(usable)
    factor = difference_skewness(np.asarray(1.0), arms[0].n, arms[1].n)
    if "skew_factor" in pairs.columns:
        stratified = pairs["skew_factor"].is_not_null().to_numpy()
        factor = np.where(stratified, pairs["skew_factor"].to_numpy(), factor)
    error, df = _error(*arms, factor, (test.se[usable], test.df[usable]))
    one_look = infer(test.diff[usable], error, df, np.asarray(thresholds.loss_fail))
    planned = np.maximum(2 * pairs["min_sample"].to_numpy(), LEAST_PLANNED_UNITS)
    looked_at_daily = confidence_sequence(test.diff[usable], error, units, planned).p_value
    is_one_look = pairs["experiment_id"].is_in(ended.implode()).to_numpy()
    p_value = np.where(is_one_look, one_look.p_value, looked_at_daily)
    family = pairs["experiment_id"].rank("dense").cast(pl.Int64).to_numpy()
    worst = (
        pairs.select("experiment_id", "metric", "covariate", "variant_id", "control_id")
        .with_columns(
            statistic=pl.Series(one_look.statistic),
            p_value=pl.Series(adjust_p_values(p_value, family, method="holm").p_adjusted),
            before=pl.Series(treatment.mean[usable]),
            before_control=pl.Series(control.mean[usable]),
        )
        .sort("experiment_id", "metric", "p_value", "variant_id")
        .group_by("experiment_id", "metric", maintain_order=True)
        .first()
    )
    status = (
        pl.when(pl.col("p_value") < thresholds.loss_fail)
        .then(pl.lit("fail"))
        .when(pl.col("p_value") < thresholds.loss_warn)
        .then(pl.lit("warn"))
        .otherwise(pl.lit("pass"))
    )
    worst = worst.with_columns(status=status)
    sentences = [_sentence(row) for row in worst.iter_rows(named=True)]
    return worst.select(
        "experiment_id",
        pl.concat_str(pl.lit("pre_period:"), "metric").alias("check"),
        pl.lit("all").alias("segment"),
        pl.lit("all").alias("segment_level"),
        "status",
        "statistic",
        "p_value",
        pl.col("before").map_elements(_number, return_dtype=pl.String).alias("observed"),
        pl.col("before_control").map_elements(_number, return_dtype=pl.String).alias("expected"),
        pl.when(pl.col("status") != "pass").then(pl.lit("pre_period_imbalance")).alias("reason"),
        pl.Series("sentence", sentences, dtype=pl.String),
    )


@quiet
def _error(
    control: Moments, treatment: Moments, factor: FloatArray, tested: tuple[FloatArray, FloatArray]
) -> tuple[FloatArray, FloatArray]:
    """Standard errors and degrees of freedom; where few units of unequal arms have a value, at least the pooled ones.

    A small arm in which nobody has a value has no variance of its own, and a random split gives such arms often.
    """
    se, df = tested
    both = control + treatment
    skewness = least_skewness(np.sqrt(both.m2 / both.n) / np.abs(both.mean))
    skewed = skewness * factor > LARGEST_SKEW
    free = both.n - 2.0
    pooled = np.sqrt((control.m2 + treatment.m2) / free * (1.0 / control.n + 1.0 / treatment.n))
    wider = skewed & (pooled > se)
    return np.where(wider, pooled, se), np.where(wider, free, df)


def _number(value: float) -> str:
    return f"{value:,.4g}"


def _sentence(row: dict[str, Any]) -> str:
    own, control = _number(row["before"]), _number(row["before_control"])
    values = f"{own} in {row['variant_id']} and {control} in {row['control_id']}"
    verdict = "as a random split may give" if row["status"] == "pass" else "more than a random split gives"
    return f"{row['covariate']} before exposure: {values}, {verdict} ({p_text(row['p_value'])})."
