"""Units that are in two experiments at once: does the split of one depend on the other?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from scipy import special

from fairsplit.analysis.judgement.wording import p_text
from fairsplit.analysis.statistics.multiplicity import adjust_p_values

if TYPE_CHECKING:
    from datetime import date

    from fairsplit.analysis.catalogue.project import Thresholds

_PAIR = ("experiment_id", "other_id")
_STRATUM = (*_PAIR, "phase", "other_phase")


def overlap_rows(
    overlaps: pl.DataFrame, experiments: pl.DataFrame, thresholds: Thresholds, cut_off: date
) -> pl.DataFrame:
    """Validity row ``overlap`` of every experiment that shares units with another; it warns and never fails.

    Chi-square of independence of the two arms, within the phases of both so that changed weights are no
    dependence; Holm over the other experiments. The row shows the one with the smallest p-value.

    Args:
        overlaps: Shared units per experiment_id, phase, variant_id, other_id, other_phase, other_variant and the
            day on which the later exposure came; each pair once.
        experiments: From `experiment_frame`.
        thresholds: `srm_fail` is the p-value at which it warns, since it is looked at every day.
        cut_off: Last day that counts.

    Returns:
        Rows of the schema `VALIDITY` but for the cut-off.
    """
    known = overlaps.filter(pl.col("day") <= cut_off)
    for name in _PAIR:
        ids = experiments.select(pl.col("experiment_id").alias(name))
        known = known.join(ids, on=name, how="semi")
    if known.is_empty():
        return pl.DataFrame()
    both = _both_ways(_pairs(known))
    p_value = special.chdtrc(np.maximum(both["df"].to_numpy(), 1), both["statistic"].to_numpy())
    p_value = np.where(both["df"].to_numpy() > 0, p_value, 1.0)
    family = both["experiment_id"].rank("dense").cast(pl.Int64).to_numpy()
    worst = (
        both.with_columns(
            p_value=pl.Series(adjust_p_values(p_value, family, method="holm").p_adjusted),
            others=pl.len().over("experiment_id"),
        )
        .sort("experiment_id", "p_value", "units", "other_id", descending=[False, False, True, False])
        .group_by("experiment_id", maintain_order=True)
        .first()
    )
    depends = pl.col("p_value") < thresholds.srm_fail
    worst = worst.with_columns(status=pl.when(depends).then(pl.lit("warn")).otherwise(pl.lit("pass")))
    sentences = [_sentence(row) for row in worst.iter_rows(named=True)]
    return worst.select(
        "experiment_id",
        pl.lit("overlap").alias("check"),
        pl.lit("all").alias("segment"),
        pl.lit("all").alias("segment_level"),
        "status",
        "statistic",
        "p_value",
        pl.col("units").cast(pl.String).alias("observed"),
        pl.lit(None, pl.String).alias("expected"),
        pl.when(pl.col("status") == "warn").then(pl.lit("not_independent")).alias("reason"),
        pl.Series("sentence", sentences, dtype=pl.String),
    )


def _pairs(known: pl.DataFrame) -> pl.DataFrame:
    """Shared units, chi-square and degrees of freedom per pair, added up over the phases of both."""
    cells = known.group_by(*_STRATUM, "variant_id", "other_variant", maintain_order=True).agg(
        units=pl.col("units").sum().cast(pl.Float64)
    )
    row = pl.col("units").sum().over(*_STRATUM, "variant_id")
    column = pl.col("units").sum().over(*_STRATUM, "other_variant")
    # Pearson's sum over all cells, the empty ones included, is n (sum of O² / (row · column) - 1).
    strata = (
        cells.with_columns(part=pl.col("units") ** 2 / (row * column))
        .group_by(_STRATUM, maintain_order=True)
        .agg(
            units=pl.col("units").sum(),
            part=pl.col("part").sum(),
            rows=pl.col("variant_id").n_unique().cast(pl.Int64),
            columns=pl.col("other_variant").n_unique().cast(pl.Int64),
        )
    )
    return strata.group_by(_PAIR, maintain_order=True).agg(
        units=pl.col("units").sum().cast(pl.Int64),
        statistic=(pl.col("units") * (pl.col("part") - 1)).clip(0).sum(),
        df=((pl.col("rows") - 1) * (pl.col("columns") - 1)).sum(),
    )


def _both_ways(pairs: pl.DataFrame) -> pl.DataFrame:
    turned = pairs.rename({"experiment_id": "other_id", "other_id": "experiment_id"}).select(pairs.columns)
    return pl.concat([pairs, turned]).sort(_PAIR)


def _sentence(row: dict[str, Any]) -> str:
    shared = f"{row['units']:,} units are also in {row['other_id']}"
    more = f" (of {row['others']:,} other experiments with shared units)" if row["others"] > 1 else ""
    verdict = (
        "are independent of each other"
        if row["status"] == "pass"
        else "depend on each other, so each may show the other's effect"
    )
    return f"{shared}{more}: the splits {verdict} ({p_text(row['p_value'])})."
