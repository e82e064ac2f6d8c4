"""Sample ratio mismatch day by day: a fault of one day that the whole would hide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from analysis.judgement.wording import count_text, p_text
from analysis.statistics.srm import srm_fixed

if TYPE_CHECKING:
    from datetime import date

    from analysis.catalogue.project import Thresholds


def day_tests(daily: pl.DataFrame, weights: pl.DataFrame) -> pl.DataFrame:
    """Each day's split against the weights in force: chi-square, or exactly where few units are due.

    The k-th day of an experiment has 1 / (k (k + 1)) of the level: these shares sum to 1 however many days follow, so
    that the family's error holds over all days and all looks (the union bound).

    Args:
        daily: `fct_daily_exposures`.
        weights: From `weight_frame`.

    Returns:
        One row per experiment and exposure day: `units` and `due` per arm in the arms' order, `statistic`, and
        `p_value` times k (k + 1).
    """
    cells = daily.filter(pl.col("segment") == "all").select(
        "experiment_id",
        "exposure_day",
        pl.col("phase").cast(pl.Int64),
        "variant_id",
        pl.col("units").cast(pl.Float64),
    )
    batch = ["experiment_id", "exposure_day", "phase"]
    totals = (
        cells.join(weights, on=["experiment_id", "phase"], how="semi")
        .group_by(batch)
        .agg(pl.col("units").sum())
    )
    share = pl.col("weight") / pl.col("weight").sum().over(batch)
    days = (
        totals.join(weights, on=["experiment_id", "phase"])
        .with_columns(due=pl.col("units") * share)
        .drop("units")
        .join(cells, on=[*batch, "variant_id"], how="left")
        .group_by("experiment_id", "exposure_day", "variant_id")
        .agg(pl.col("units", "due").sum())
        .sort("experiment_id", "exposure_day", "variant_id")
        .group_by("experiment_id", "exposure_day", maintain_order=True)
        .agg("units", "due")
        .with_columns(number=pl.int_range(1, pl.len() + 1).over("experiment_id"))
    )
    if days.is_empty():
        return days
    tested = srm_fixed(_padded(days["units"]), _padded(days["due"]))
    number = days["number"].to_numpy()
    return days.with_columns(
        statistic=pl.Series(np.where(np.isfinite(tested.statistic), tested.statistic, np.nan)),
        p_value=pl.Series(np.minimum(tested.p_value * number * (number + 1), 1.0)),
    ).filter(pl.col("p_value").is_not_nan())


def day_split_rows(tests: pl.DataFrame, thresholds: Thresholds, cut_off: date) -> pl.DataFrame:
    """Validity rows ``srm_day``: the day whose split is least like its weights, where units came on several days.

    Args:
        tests: From `day_tests`.
        thresholds: p-values at which the check warns and fails.
        cut_off: Last day that counts.

    Returns:
        Rows of the schema `VALIDITY` but for the cut-off.
    """
    if tests.is_empty():
        return pl.DataFrame()
    failed, warned = pl.col("p_value") < thresholds.srm_fail, pl.col("p_value") < thresholds.srm_warn
    worst = (
        tests.filter(pl.col("exposure_day") <= cut_off)
        .filter(pl.len().over("experiment_id") > 1)
        .sort("experiment_id", "p_value", "exposure_day")
        .group_by("experiment_id", maintain_order=True)
        .first()
        .with_columns(
            status=pl.when(failed)
            .then(pl.lit("fail"))
            .when(warned)
            .then(pl.lit("warn"))
            .otherwise(pl.lit("pass"))
        )
    )
    return worst.select(
        "experiment_id",
        pl.lit("srm_day").alias("check"),
        pl.lit("all").alias("segment"),
        pl.lit("all").alias("segment_level"),
        "status",
        "statistic",
        "p_value",
        pl.Series("observed", [count_text(units) for units in worst["units"]], dtype=pl.String),
        pl.Series("expected", [count_text(due) for due in worst["due"]], dtype=pl.String),
        pl.when(warned).then(pl.lit("sample_ratio_mismatch")).alias("reason"),
        pl.Series("sentence", [_sentence(row) for row in worst.iter_rows(named=True)], dtype=pl.String),
    )


def _padded(column: pl.Series) -> np.ndarray[Any, Any]:
    """Lists of unequal length as one array, zeros behind: an arm with neither units nor due ones changes nothing."""
    rows = column.to_list()
    padded = np.zeros((len(rows), max(map(len, rows))))
    for place, row in enumerate(rows):
        padded[place, : len(row)] = row
    return padded


def _sentence(row: dict[str, Any]) -> str:
    split = f"units of {row['exposure_day']} split {count_text(row['units'])} where {count_text(row['due'])} were due"
    if row["status"] == "pass":
        return f"No single day stands out: the {split} ({p_text(row['p_value'])} over all days)."
    word = "faulty" if row["status"] == "fail" else "suspicious"
    return f"One day is {word}: the {split} ({p_text(row['p_value'])} over all days)."
