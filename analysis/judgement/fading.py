"""Is the effect on a unit the same soon after its exposure and late in its window?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from fairsplit.analysis.judgement.wording import p_text, percent
from fairsplit.analysis.statistics.moments import JointMoments
from fairsplit.analysis.statistics.ratios import ratio_delta
from fairsplit.analysis.statistics.status import Reason

if TYPE_CHECKING:
    from datetime import date

    from fairsplit.analysis.catalogue.project import Thresholds

#: Units per arm that did something in the days looked at, below which the delta method is not to be trusted.
LEAST_ACTIVE = 100

_ARM = ("experiment_id", "metric", "variant_id")
_SUMS = ("n", "active", "sum_y", "sum_d", "sum_yy", "sum_yd", "sum_dd")


def fading_rows(
    ages: pl.DataFrame, variants: pl.DataFrame, uses: pl.DataFrame, thresholds: Thresholds, cut_off: date
) -> pl.DataFrame:
    """Validity rows ``fading:<metric>``: the arm whose lift differs most surely between early and late days.

    A lift that stays the same leaves the late days' share of all that units do as it is in control; the shares are
    compared by the delta method. Activity that wears off after exposure in every arm is thereby no novelty. It
    warns and never fails, at the level of a failing check since it is looked at every day; Bonferroni over arms.

    Args:
        ages: `fct_effect_ages`: exact sums per arm and exposure day of `y`, what units did in the late half of
            the days inside their window, and `d`, what they did in both halves.
        variants: From `variant_frame`.
        uses: From `use_frame`.
        thresholds: `loss_fail` is the p-value at which it warns.
        cut_off: Last day that counts.

    Returns:
        Rows of the schema `VALIDITY` but for the cut-off.
    """
    known = ages.filter(pl.col("known_day") <= cut_off).with_columns(pl.col(_SUMS).cast(pl.Int128))
    arms = (
        known.group_by(_ARM, maintain_order=True)
        .agg(pl.col(_SUMS).sum())
        .join(variants, on=["experiment_id", "variant_id"], how="inner")
        .filter(pl.col("active") >= LEAST_ACTIVE)
    )
    control = arms.filter(pl.col("variant_id") == pl.col("control_id"))
    pairs = (
        arms.filter(pl.col("variant_id") != pl.col("control_id"))
        .join(control, on=["experiment_id", "metric"], how="inner", suffix="_control")
        .join(uses.select("experiment_id", "metric", "label"), on=["experiment_id", "metric"], how="inner")
        .sort(*_ARM)
    )
    if pairs.is_empty():
        return pl.DataFrame()
    treated, untreated = _moments(pairs, ""), _moments(pairs, "_control")
    tested = ratio_delta(untreated, treated, relative="delta")
    arms_of = pairs.select(pl.len().over("experiment_id", "metric")).to_series().to_numpy()
    worst = (
        pairs.select("experiment_id", "metric", "variant_id", "label")
        .with_columns(
            statistic=pl.Series(tested.statistic),
            p_value=pl.Series(np.minimum(tested.p_value * arms_of, 1.0)),
            early=pl.Series(_lift(treated, untreated, late=False)),
            late=pl.Series(_lift(treated, untreated, late=True)),
        )
        .filter(pl.Series(tested.status == Reason.OK))
        .sort("experiment_id", "metric", "p_value", "variant_id")
        .group_by("experiment_id", "metric", maintain_order=True)
        .first()
    )
    changes = pl.col("p_value") < thresholds.loss_fail
    worst = worst.with_columns(status=pl.when(changes).then(pl.lit("warn")).otherwise(pl.lit("pass")))
    return worst.select(
        "experiment_id",
        pl.concat_str(pl.lit("fading:"), "metric").alias("check"),
        pl.lit("all").alias("segment"),
        pl.lit("all").alias("segment_level"),
        "status",
        "statistic",
        "p_value",
        pl.Series("observed", [_lift_text(lift) for lift in worst["late"]], dtype=pl.String),
        pl.Series("expected", [_lift_text(lift) for lift in worst["early"]], dtype=pl.String),
        pl.when(pl.col("status") == "warn").then(pl.lit("effect_changes_with_age")).alias("reason"),
        pl.Series("sentence", [_sentence(row) for row in worst.iter_rows(named=True)], dtype=pl.String),
    )


def _moments(pairs: pl.DataFrame, suffix: str) -> JointMoments:
    return JointMoments.from_frame(
        pairs.select(pl.col(f"{name}{suffix}").alias(name) for name in _SUMS), "yd"
    )


def _lift(treated: JointMoments, untreated: JointMoments, *, late: bool) -> np.ndarray[Any, Any]:
    """Relative lift of the means of one half of the days; NaN without a baseline."""
    means = [
        arm.mean[..., 0] if late else arm.mean[..., 1] - arm.mean[..., 0] for arm in (treated, untreated)
    ]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(means[1] != 0, means[0] / means[1] - 1, np.nan)


def _lift_text(lift: float) -> str:
    return "unknown" if np.isnan(lift) else percent(lift)


def _sentence(row: dict[str, Any]) -> str:
    verdict = (
        "as chance may give" if row["status"] == "pass" else "more than chance gives: novelty, or learning"
    )
    return (
        f"{row['label']}: lift of {row['variant_id']} {_lift_text(row['early'])} in the first days after exposure and "
        f"{_lift_text(row['late'])} in the last of the window, {verdict} ({p_text(row['p_value'])})."
    )
