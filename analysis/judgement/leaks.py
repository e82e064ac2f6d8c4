"""Held-out units that were served: what a read-out of a holdout then understates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from fairsplit.analysis.judgement.wording import percent

if TYPE_CHECKING:
    from datetime import date

    from fairsplit.analysis.catalogue.loading import Catalogue
    from fairsplit.analysis.catalogue.project import Thresholds


def leak_rows(
    leaks: pl.DataFrame,
    daily: pl.DataFrame,
    variants: pl.DataFrame,
    catalogue: Catalogue,
    thresholds: Thresholds,
    cut_off: date,
) -> pl.DataFrame:
    """Validity row ``holdout_leak`` of every experiment that measures a holdout.

    A held-out unit that is served is on the wrong side, as a logged variant that is not the expected one is: the same
    shares warn and fail.

    Args:
        leaks: Held-out `units` by experiment_id and the `day` from which on they were known to be served.
        daily: `fct_daily_exposures`, for the units held out.
        variants: From `variant_frame`.
        catalogue: Tells which experiments measure a holdout.
        thresholds: Shares at which the check warns and fails.
        cut_off: Last day that counts.

    Returns:
        Rows of the schema `VALIDITY` but for the cut-off.
    """
    measuring = [item.id for item in catalogue.experiments.values() if item.holdout is not None]
    held = (
        daily.filter((pl.col("exposure_day") <= cut_off) & (pl.col("segment") == "all"))
        .join(variants, on=["experiment_id", "variant_id"])
        .filter((pl.col("variant_id") == pl.col("control_id")) & pl.col("experiment_id").is_in(measuring))
        .group_by("experiment_id", maintain_order=True)
        .agg(held=pl.col("units").sum().cast(pl.Int64))
    )
    served = (
        leaks.filter(pl.col("day") <= cut_off)
        .group_by("experiment_id")
        .agg(served=pl.col("units").sum().cast(pl.Int64))
    )
    rows = (
        held.join(served, on="experiment_id", how="left", maintain_order="left")
        .with_columns(pl.col("served").fill_null(0))
        .filter(pl.col("held") > 0)
        .with_columns(share=pl.col("served") / pl.col("held"))
        .with_columns(
            status=pl.when(pl.col("share") > thresholds.audit_fail)
            .then(pl.lit("fail"))
            .when(pl.col("share") > thresholds.audit_warn)
            .then(pl.lit("warn"))
            .otherwise(pl.lit("pass"))
        )
    )
    if rows.is_empty():
        return pl.DataFrame()
    return rows.select(
        "experiment_id",
        pl.lit("holdout_leak").alias("check"),
        pl.lit("all").alias("segment"),
        pl.lit("all").alias("segment_level"),
        "status",
        pl.col("share").alias("statistic"),
        pl.lit(None, pl.Float64).alias("p_value"),
        pl.col("served").cast(pl.String).alias("observed"),
        pl.lit("0").alias("expected"),
        pl.when(pl.col("status") != "pass").then(pl.lit("holdout_leaks")).alias("reason"),
        pl.Series("sentence", [_sentence(row) for row in rows.iter_rows(named=True)], dtype=pl.String),
    )


def _sentence(row: dict[str, Any]) -> str:
    if not row["served"]:
        return f"None of the {row['held']:,} held-out units was served what the holdout covers."
    share = percent(row["share"], signed=False)
    return (
        f"{row['served']:,} of {row['held']:,} held-out units ({share}) were served what the holdout covers: "
        "the effect is understated by about that share."
    )
