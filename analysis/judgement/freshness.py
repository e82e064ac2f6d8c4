"""Is the newest day there, and do units still arrive?"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from datetime import date

#: Days before the newest one that say how many events a day has.
COMPARED_DAYS = 7
#: Fewest of them that make a comparison.
LEAST_COMPARED = 3
#: Share of their median below which the newest day counts as incomplete.
COMPLETE_FROM = 0.5
#: Days without a new unit after which a running experiment has gone silent.
SILENT_DAYS = 3


def completeness_rows(events: pl.DataFrame, experiments: pl.DataFrame, cut_off: date) -> pl.DataFrame:
    """Validity rows ``completeness`` of the experiments in progress: the newest day's events beside the week before.

    Args:
        events: Events that count per event_day (`fct_event_quality`, `kept`).
        experiments: From `experiment_frame`.
        cut_off: The newest day.

    Returns:
        Rows of the schema `VALIDITY` but for the cut-off; none while fewer than three days came before.
    """
    week = events.filter(
        pl.col("event_day").is_between(cut_off - timedelta(days=COMPARED_DAYS), cut_off, closed="left")
    )
    if week.height < LEAST_COMPARED:
        return pl.DataFrame()
    usual = float(week.select(pl.col("events").median()).item())
    newest = int(events.filter(pl.col("event_day") == cut_off)["events"].sum())
    short = newest < COMPLETE_FROM * usual
    verdict = "the day is incomplete, or events are missing" if short else "as many as usual"
    return in_progress(experiments, cut_off).select(
        "experiment_id",
        pl.lit("completeness").alias("check"),
        pl.lit("all").alias("segment"),
        pl.lit("all").alias("segment_level"),
        pl.lit("warn" if short else "pass").alias("status"),
        pl.lit(newest / usual if usual else None, pl.Float64).alias("statistic"),
        pl.lit(None, pl.Float64).alias("p_value"),
        pl.lit(f"{newest:,}").alias("observed"),
        pl.lit(f"{usual:,.0f}").alias("expected"),
        pl.when(pl.lit(short)).then(pl.lit("day_incomplete")).alias("reason"),
        pl.lit(f"{cut_off} has {newest:,} events, a usual day {usual:,.0f}: {verdict}.").alias("sentence"),
    )


def freshness_rows(daily: pl.DataFrame, experiments: pl.DataFrame, cut_off: date) -> pl.DataFrame:
    """Validity rows ``freshness`` of the running experiments in progress: days since the last new unit.

    Args:
        daily: `fct_daily_exposures` up to the cut-off.
        experiments: From `experiment_frame`.
        cut_off: The newest day.

    Returns:
        Rows of the schema `VALIDITY` but for the cut-off; none in an experiment's first days.
    """
    last = daily.group_by("experiment_id", maintain_order=True).agg(last=pl.col("exposure_day").max())
    began = pl.col("start_at").dt.date()
    running = (
        in_progress(experiments, cut_off)
        .filter(pl.col("experiment_status") == "running")
        .join(last, on="experiment_id", how="left")
        .with_columns(silent=(pl.lit(cut_off) - pl.coalesce("last", began)).dt.total_days())
        .filter((pl.lit(cut_off) - began).dt.total_days() >= SILENT_DAYS)
    )
    silent = pl.col("silent") >= SILENT_DAYS
    said = (
        pl.when(pl.col("last").is_null())
        .then(pl.format("No unit has been exposed in the {} days since the start.", "silent"))
        .when(silent)
        .then(
            pl.format(
                "No new unit for {} days: the last came on {}.", "silent", pl.col("last").cast(pl.String)
            )
        )
        .otherwise(pl.format("The newest unit came on {}.", pl.col("last").cast(pl.String)))
    )
    return running.select(
        "experiment_id",
        pl.lit("freshness").alias("check"),
        pl.lit("all").alias("segment"),
        pl.lit("all").alias("segment_level"),
        pl.when(silent).then(pl.lit("warn")).otherwise(pl.lit("pass")).alias("status"),
        pl.col("silent").cast(pl.Float64).alias("statistic"),
        pl.lit(None, pl.Float64).alias("p_value"),
        pl.col("last").cast(pl.String).fill_null("never").alias("observed"),
        pl.lit(str(cut_off)).alias("expected"),
        pl.when(silent).then(pl.lit("no_new_units")).alias("reason"),
        said.alias("sentence"),
    )


def in_progress(experiments: pl.DataFrame, cut_off: date) -> pl.DataFrame:
    """Experiments whose period holds the whole day."""
    day = pl.lit(cut_off).cast(pl.Datetime("us"))
    ends = pl.col("end_at").is_null() | (pl.col("end_at") >= day + pl.duration(days=1))
    return experiments.filter(
        (pl.col("start_at") <= day) & ends & pl.col("experiment_status").is_in(["running", "completed"])
    )
