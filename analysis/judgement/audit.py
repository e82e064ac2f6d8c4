"""The variant that was logged against the variant that the configuration in force gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from fairsplit.analysis.judgement.wording import percent

if TYPE_CHECKING:
    from datetime import date

    from fairsplit.analysis.catalogue.project import Thresholds

#: Units below which a part of the traffic (an SDK version, a platform, a day) is not judged on its own.
LEAST_UNITS = 1_000
_PARTS = ("sdk_version", "platform", "assigned_day")


def audit_rows(
    audits: pl.DataFrame, experiments: pl.DataFrame, thresholds: Thresholds, cut_off: date
) -> pl.DataFrame:
    """Validity rows ``audit``: of the whole experiment, and of each part of it that is off.

    Args:
        audits: Units and mismatched units per experiment_id, assigned_day, sdk_version and platform.
        experiments: From `experiment_frame`.
        thresholds: Shares at which the check warns and fails.
        cut_off: Last day that counts.

    Returns:
        Rows of the schema `VALIDITY` but for the cut-off. A part has a row where it has at least 1,000 units
        and its share is above the warning; the whole always has one.
    """
    known = audits.filter(pl.col("assigned_day") <= cut_off).join(experiments, on="experiment_id", how="semi")
    counts = [pl.col("units").sum().cast(pl.Int64), pl.col("mismatched").sum().cast(pl.Int64)]
    whole = (
        known.group_by("experiment_id", maintain_order=True)
        .agg(counts)
        .with_columns(segment=pl.lit("all"), segment_level=pl.lit("all"))
    )
    parts = [
        known.group_by(
            "experiment_id",
            pl.col(name).cast(pl.String).fill_null("unknown").alias("segment_level"),
            maintain_order=True,
        )
        .agg(counts)
        .with_columns(segment=pl.lit(name))
        .select(whole.columns)
        for name in _PARTS
    ]
    share = pl.col("mismatched") / pl.col("units")
    off = (pl.col("units") >= LEAST_UNITS) & (share > thresholds.audit_warn)
    rows = pl.concat([whole, *(part.filter(off) for part in parts)]).with_columns(share=share)
    status = (
        pl.when(pl.col("share") > thresholds.audit_fail)
        .then(pl.lit("fail"))
        .when(pl.col("share") > thresholds.audit_warn)
        .then(pl.lit("warn"))
        .otherwise(pl.lit("pass"))
    )
    rows = rows.with_columns(status=status)
    sentences = [_sentence(row) for row in rows.iter_rows(named=True)]
    return rows.select(
        "experiment_id",
        pl.lit("audit").alias("check"),
        "segment",
        "segment_level",
        "status",
        pl.col("share").alias("statistic"),
        pl.lit(None, pl.Float64).alias("p_value"),
        pl.col("mismatched").cast(pl.String).alias("observed"),
        pl.lit("0").alias("expected"),
        pl.when(pl.col("status") != "pass").then(pl.lit("assignment_mismatch")).alias("reason"),
        pl.Series("sentence", sentences, dtype=pl.String),
    )


def _sentence(row: dict[str, Any]) -> str:
    if row["mismatched"] == 0:
        return f"All {row['units']:,} logged variants are the expected ones."
    where = "" if row["segment"] == "all" else f"{row['segment']} = {row['segment_level']}: "
    share = percent(row["share"], signed=False)
    return f"{where}{row['mismatched']:,} of {row['units']:,} logged variants ({share}) are not the expected ones."
