"""Sample ratio mismatch day by day: a fault of one day that the whole would hide.

The pipeline looks every day, so a day's level shrinks with its number; a file is one look, so its days share the level.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from scipy import special

from fairsplit.analysis.judgement.wording import count_text, p_text
from fairsplit.analysis.statistics.multiplicity import adjust_p_values
from fairsplit.analysis.statistics.srm import srm_fixed

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from fairsplit.analysis.catalogue.project import Thresholds

#: Units due in each cell from which on chi-square holds (Cochran 1954).
LEAST_DUE = 5


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
    days = _days(cells, weights, batch).with_columns(
        number=pl.int_range(1, pl.len() + 1).over("experiment_id")
    )
    share = pl.col("number") * (pl.col("number") + 1)
    return days.with_columns(p_value=(pl.col("p_value") * share).clip(upper_bound=1.0))


def _days(cells: pl.DataFrame, weights: pl.DataFrame, batch: list[str]) -> pl.DataFrame:
    """Units per arm of each experiment and day beside those due, each tested for itself, in order of days."""
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
    )
    if days.is_empty():
        return days.with_columns(statistic=pl.lit(None, pl.Float64), p_value=pl.lit(None, pl.Float64))
    tested = srm_fixed(_padded(days["units"]), _padded(days["due"]))
    return days.with_columns(
        statistic=pl.Series(np.where(np.isfinite(tested.statistic), tested.statistic, np.nan)),
        p_value=pl.Series(tested.p_value),
    ).filter(pl.col("p_value").is_not_nan())


def dated_split_rows(dated: pl.DataFrame, weights: pl.DataFrame, thresholds: Thresholds) -> pl.DataFrame:
    """Validity rows ``srm_day`` of a file whose units have a day.

    Each day is tested against the declared weights (Holm over the days of an experiment), and all days together for
    one split that moves from day to day: chi-square of days by arms, where at least 5 units are due in each cell.

    Args:
        dated: Units per experiment_id, variant_id and exposure_day, with the `column` that holds the day.
        weights: From `weight_frame`, of one phase.
        thresholds: p-values at which the check warns and fails.

    Returns:
        Rows of the schema `VALIDITY` but for the cut-off, for experiments of several days: every day that warns or
        fails, else the day that is least like the weights; and one row of all days.
    """
    cells = dated.with_columns(pl.col("units").cast(pl.Float64), phase=pl.lit(0, pl.Int64))
    days = _days(cells, weights, ["experiment_id", "exposure_day", "phase"])
    days = days.filter(pl.len().over("experiment_id") > 1)
    if days.is_empty():
        return pl.DataFrame()
    family = days["experiment_id"].rank("dense").cast(pl.Int64).to_numpy()
    holm = adjust_p_values(days["p_value"].to_numpy(), family, method="holm").p_adjusted
    days = _with_status(days.with_columns(p_value=pl.Series(holm)), thresholds)
    column = dated.select("experiment_id", "column").unique()
    least = pl.col("p_value") == pl.col("p_value").min().over("experiment_id")
    sound = (pl.col("status") == "pass").all().over("experiment_id")
    shown = days.filter((pl.col("status") != "pass") | (sound & least)).filter(
        (pl.col("status") != "pass") | (pl.int_range(pl.len()).over("experiment_id") == 0)
    )
    shown = shown.join(column, on="experiment_id", how="left", maintain_order="left").with_columns(
        segment_level=pl.col("exposure_day").cast(pl.String)
    )
    moving = _moving(days, thresholds).join(column, on="experiment_id", how="left", maintain_order="left")
    return pl.concat([_rows(shown, _dated_sentence), _rows(moving, _moving_sentence)])


def _moving(days: pl.DataFrame, thresholds: Thresholds) -> pl.DataFrame:
    """Days by arms of each experiment: is it one split?"""
    arm = pl.int_range(pl.len()).over("experiment_id", "exposure_day")
    cells = days.select("experiment_id", "exposure_day", "units").explode("units").with_columns(arm=arm)
    of_day, of_arm, all_units = (
        pl.col("units").sum().over(place)
        for place in (["experiment_id", "exposure_day"], ["experiment_id", "arm"], ["experiment_id"])
    )
    cells = cells.with_columns(due=of_day * of_arm / all_units)
    found = (
        cells.group_by("experiment_id", maintain_order=True)
        .agg(
            statistic=((pl.col("units") - pl.col("due")) ** 2 / pl.col("due")).sum(),
            least_due=pl.col("due").min(),
            number=pl.col("exposure_day").n_unique(),
            freedom=(pl.col("exposure_day").n_unique() - 1) * (pl.col("arm").n_unique() - 1),
        )
        .filter(pl.col("least_due") >= LEAST_DUE)
    )
    p_value = special.chdtrc(found["freedom"].to_numpy(), found["statistic"].to_numpy())
    none = pl.lit([], pl.List(pl.Float64))
    found = found.with_columns(
        p_value=pl.Series(p_value, dtype=pl.Float64), units=none, due=none, segment_level=pl.lit("all")
    )
    return _with_status(found, thresholds)


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
    worst = (
        tests.filter(pl.col("exposure_day") <= cut_off)
        .filter(pl.len().over("experiment_id") > 1)
        .sort("experiment_id", "p_value", "exposure_day")
        .group_by("experiment_id", maintain_order=True)
        .first()
        .with_columns(column=pl.lit("all"), segment_level=pl.lit("all"))
    )
    return _rows(_with_status(worst, thresholds), _sentence)


def _with_status(tests: pl.DataFrame, thresholds: Thresholds) -> pl.DataFrame:
    status = (
        pl.when(pl.col("p_value") < thresholds.srm_fail)
        .then(pl.lit("fail"))
        .when(pl.col("p_value") < thresholds.srm_warn)
        .then(pl.lit("warn"))
        .otherwise(pl.lit("pass"))
    )
    return tests.with_columns(status=status)


def _rows(tests: pl.DataFrame, sentence: Callable[[dict[str, Any]], str]) -> pl.DataFrame:
    return tests.select(
        "experiment_id",
        pl.lit("srm_day").alias("check"),
        pl.col("column").alias("segment"),
        "segment_level",
        "status",
        "statistic",
        "p_value",
        pl.Series("observed", [count_text(units) for units in tests["units"]], dtype=pl.String),
        pl.Series("expected", [count_text(due) for due in tests["due"]], dtype=pl.String),
        pl.when(pl.col("status") != "pass").then(pl.lit("sample_ratio_mismatch")).alias("reason"),
        pl.Series("sentence", [sentence(row) for row in tests.iter_rows(named=True)], dtype=pl.String),
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


def _dated_sentence(row: dict[str, Any]) -> str:
    split = f"units split {count_text(row['units'])} where {count_text(row['due'])} were due"
    if row["status"] == "pass":
        return (
            f"No single day of {row['column']} stands out: on {row['exposure_day']} {split} "
            f"({p_text(row['p_value'])} over all days)."
        )
    word = "faulty" if row["status"] == "fail" else "suspicious"
    return (
        f"{row['column']} = {row['exposure_day']}: {split}: the split of that day is {word} "
        f"({p_text(row['p_value'])} over all days)."
    )


def _moving_sentence(row: dict[str, Any]) -> str:
    if row["status"] == "pass":
        return (
            f"The split is one over the {row['number']} days of {row['column']} ({p_text(row['p_value'])})."
        )
    return (
        f"The split moves from day to day over the {row['number']} days of {row['column']} ({p_text(row['p_value'])}): "
        "something but chance decides who is in which arm."
    )
