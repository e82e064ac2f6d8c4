"""Is the effect the same for the units that came early and for those that came late?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from scipy import special

from fairsplit.analysis.judgement.comparing import BY_DISTRIBUTION, compare_pairs
from fairsplit.analysis.judgement.pairing import SUMS, defined_rows, has_sums, paired
from fairsplit.analysis.judgement.wording import p_text
from fairsplit.analysis.statistics.status import Reason

if TYPE_CHECKING:
    from datetime import date

    from fairsplit.analysis.catalogue.project import Thresholds

#: Days with an effect of their own before a trend is looked for: a whole week and a day.
LEAST_DAYS = 8
#: Units per arm that make a day's effect near enough normal.
LEAST_UNITS = 30

_LINE = ("experiment_id", "metric", "variant_id")


def effect_trends(
    statistics: pl.DataFrame, experiments: pl.DataFrame, variants: pl.DataFrame, uses: pl.DataFrame
) -> pl.DataFrame:
    """The effect's weighted least-squares line over the day on which units entered, up to every day.

    Cumulative sums of consecutive cut-offs differ by the units whose window closed in between, exactly. Metrics
    without a fixed window, with caps or tested by their distribution have no such increments and are left out.

    Args:
        statistics: `fct_sufficient_statistics` with every cut-off from the start on.
        experiments: From `experiment_frame`.
        variants: From `variant_frame`.
        uses: From `use_frame`.

    Returns:
        One row per experiment, primary metric, treatment and day: `days` with an effect so far, `slope` a day,
        its standard error, and the fitted effect of the `first` and `last` day.
    """
    asked = uses.filter((pl.col("role") == "primary") & pl.col("window").is_not_null() & ~BY_DISTRIBUTION)
    plain = statistics.filter(
        (pl.col("segment") == "all")
        & (pl.col("analysis") == "default")
        & pl.col("cap_low").is_null()
        & pl.col("cap_high").is_null()
        & has_sums()
    )
    if plain.is_empty() or asked.is_empty():
        return pl.DataFrame()
    newest: Any = plain["cut_off"].max()
    rows = defined_rows(plain, newest, experiments, variants, asked).sort(*_LINE, "cut_off")
    before = [pl.col(name).shift(1).over(_LINE) for name in ("n", *SUMS)]
    grown = [
        pl.when(pl.col(name).is_null()).then(None).otherwise(pl.col(name) - past.fill_null(0)).alias(name)
        for name, past in zip(("n", *SUMS), before, strict=True)
    ]
    entered = rows.with_columns(*grown, covered=pl.lit(value=False))
    pairs = paired(entered)
    if pairs.is_empty():
        return pl.DataFrame()
    pairs = pairs.filter((pl.col("n") >= LEAST_UNITS) & (pl.col("n_control") >= LEAST_UNITS))
    if pairs.is_empty():
        return pl.DataFrame()
    tested = compare_pairs(pairs, pairs["alpha"].to_numpy()).comparison
    ok = (tested.status == Reason.OK) & (tested.se > 0)
    days = pairs.select(*_LINE, "control_id", "label", "cut_off").with_columns(
        effect=pl.Series(tested.diff),
        weight=pl.Series(np.where(ok, 1 / np.where(ok, tested.se, 1.0) ** 2, 0.0)),
    )
    return _lines(days.filter(pl.Series(ok)).sort(*_LINE, "cut_off"))


def _lines(days: pl.DataFrame) -> pl.DataFrame:
    first = pl.col("cut_off").min().over(_LINE)
    days = days.with_columns(t=(pl.col("cut_off") - first).dt.total_days().cast(pl.Float64))
    weight, time, effect = pl.col("weight"), pl.col("t"), pl.col("effect")
    sums = {
        "s": weight,
        "st": weight * time,
        "stt": weight * time**2,
        "sy": weight * effect,
        "sty": weight * time * effect,
    }
    days = days.with_columns(
        *(value.cum_sum().over(_LINE).alias(name) for name, value in sums.items()),
        days=pl.int_range(1, pl.len() + 1).over(_LINE),
    )
    spread = pl.col("s") * pl.col("stt") - pl.col("st") ** 2
    days = days.with_columns(
        slope=(pl.col("s") * pl.col("sty") - pl.col("st") * pl.col("sy")) / spread,
        slope_error=(pl.col("s") / spread).sqrt(),
    )
    level = (pl.col("sy") - pl.col("slope") * pl.col("st")) / pl.col("s")
    return days.with_columns(first=level, last=level + pl.col("slope") * pl.col("t"))


def novelty_rows(trends: pl.DataFrame, thresholds: Thresholds, cut_off: date) -> pl.DataFrame:
    """Validity rows ``novelty:<metric>``: the arm whose effect changes most surely; it warns and never fails.

    The level is that of a failing check, since the trend is looked at every day; Bonferroni over the arms.

    Args:
        trends: From `effect_trends`.
        thresholds: `loss_fail` is the p-value at which it warns.
        cut_off: The day judged.

    Returns:
        Rows of the schema `VALIDITY` but for the cut-off.
    """
    if trends.is_empty():
        return pl.DataFrame()
    now = (
        trends.filter(pl.col("cut_off") <= cut_off)
        .group_by(_LINE, maintain_order=True)
        .last()
        .filter((pl.col("days") >= LEAST_DAYS) & (pl.col("slope_error") > 0))
    )
    if now.is_empty():
        return pl.DataFrame()
    z = (now["slope"] / now["slope_error"]).to_numpy()
    arms = now.select(pl.len().over("experiment_id", "metric")).to_series().to_numpy()
    worst = (
        now.with_columns(
            statistic=pl.Series(z), p_value=pl.Series(np.minimum(2 * special.ndtr(-np.abs(z)) * arms, 1.0))
        )
        .sort("experiment_id", "metric", "p_value", "variant_id")
        .group_by("experiment_id", "metric", maintain_order=True)
        .first()
    )
    changes = pl.col("p_value") < thresholds.loss_fail
    worst = worst.with_columns(status=pl.when(changes).then(pl.lit("warn")).otherwise(pl.lit("pass")))
    sentences = [_sentence(row) for row in worst.iter_rows(named=True)]
    return worst.select(
        "experiment_id",
        pl.concat_str(pl.lit("novelty:"), "metric").alias("check"),
        pl.lit("all").alias("segment"),
        pl.lit("all").alias("segment_level"),
        "status",
        "statistic",
        "p_value",
        pl.col("last").map_elements(_number, return_dtype=pl.String).alias("observed"),
        pl.col("first").map_elements(_number, return_dtype=pl.String).alias("expected"),
        pl.when(pl.col("status") == "warn").then(pl.lit("effect_changes")).alias("reason"),
        pl.Series("sentence", sentences, dtype=pl.String),
    )


def _number(value: float) -> str:
    return f"{value:+,.4g}"


def _sentence(row: dict[str, Any]) -> str:
    ends = f"{_number(row['first'])} for the first units and {_number(row['last'])} for the newest"
    verdict = (
        "as chance may give" if row["status"] == "pass" else "more than chance gives: novelty, or learning"
    )
    return f"{row['label']}: effect of {row['variant_id']} {ends}, {verdict} ({p_text(row['p_value'])})."
