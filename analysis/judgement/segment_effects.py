"""Who responds: does the effect differ between a segment's levels, and each level's effect drawn in towards the others.

A segment's levels share the units' chance, so that the largest of them is large by chance too. Effects are the absolute
differences, with the standard errors of their rows; levels whose data do not meet what the test requires are left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from fairsplit.analysis.statistics.interactions import subgroup_heterogeneity
from fairsplit.analysis.statistics.multiplicity import adjust_p_values
from fairsplit.analysis.statistics.portfolio import shrink_effects

if TYPE_CHECKING:
    from fairsplit.analysis.statistics.checks import FloatArray

_METRIC = ["experiment_id", "cut_off", "metric", "analysis"]
_PANEL = [*_METRIC, "segment", "variant_id"]


def with_segment_effects(rows: pl.DataFrame) -> pl.DataFrame:
    """Columns `heterogeneity_*` and `shrunken_*` on the levels' rows of primary metrics.

    Args:
        rows: Result rows with `lift_abs`, `lift_std_error`, `status` and `requirements_met`.

    Returns:
        The rows in their order. `heterogeneity_statistic` is Cochran's Q between the levels of one arm, with
        `heterogeneity_df` degrees of freedom, null with fewer than two levels; its p is adjusted (Holm) over the
        segments and arms of the metric. `shrunken_lift` with its 95 % credible interval is the empirical-Bayes effect,
        null with fewer than three levels.
    """
    kept = rows.filter(
        (pl.col("segment") != "all")
        & (pl.col("role") == "primary")
        & (pl.col("status") == "ok")
        & (pl.col("lift_std_error") > 0)
        & pl.col("requirements_met")
    ).select(*_PANEL, "segment_level", "lift_abs", "lift_std_error")
    if kept.is_empty():
        return rows
    panels = kept.select(_PANEL).unique().sort(_PANEL).with_row_index("panel")
    placed = kept.join(panels, on=_PANEL).sort("panel", "segment_level")
    placed = placed.with_columns(place=pl.int_range(pl.len()).over("panel"))
    at = placed["panel"].to_numpy(), placed["place"].to_numpy()
    shape = (panels.height, int(at[1].max()) + 1)

    def table(values: FloatArray, empty: float) -> FloatArray:
        out = np.full(shape, empty)
        out[at] = values
        return out

    present = table(np.ones(placed.height), 0.0) > 0
    effects = table(placed["lift_abs"].to_numpy(), np.nan)
    variances = table(placed["lift_std_error"].to_numpy() ** 2, np.nan)
    tested = subgroup_heterogeneity(effects, variances, present=present)
    family = panels.select(pl.struct(_METRIC).rank("dense")).to_series().cast(pl.Int64).to_numpy()
    panels = panels.with_columns(
        heterogeneity_statistic=pl.Series(tested.statistic),
        heterogeneity_df=pl.Series(tested.df1),
        heterogeneity_p_value=pl.Series(tested.p_value),
        heterogeneity_p_adjusted=pl.Series(adjust_p_values(tested.p_value, family, method="holm").p_adjusted),
    )
    drawn_in = shrink_effects(effects, variances, present=present)
    placed = placed.with_columns(
        shrunken_lift=pl.Series(drawn_in.effect[at]),
        shrunken_low=pl.Series(drawn_in.ci_low[at]),
        shrunken_high=pl.Series(drawn_in.ci_high[at]),
    ).join(panels, on=["panel", *_PANEL], how="left")
    found = placed.drop("panel", "place", "lift_abs", "lift_std_error")
    return rows.join(found, on=[*_PANEL, "segment_level"], how="left", maintain_order="left")
