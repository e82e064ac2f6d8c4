"""What is still to be hoped for: arms below the declared floor, and plans that can hardly succeed any more."""

from __future__ import annotations

import numpy as np
import polars as pl

from fairsplit.analysis.judgement.information import planned_drift
from fairsplit.analysis.judgement.looks import LEAST_PLANNED_UNITS
from fairsplit.analysis.statistics.conditional_power import conditional_power
from fairsplit.analysis.statistics.confidence_sequences import sequence_multiplier

#: Chance of success below which a plan counts as futile.
FUTILE_BELOW = 0.1
#: Share of the planned information before which nobody gives up.
EARLIEST_FUTILITY = 0.2


def with_prospects(rows: pl.DataFrame) -> pl.DataFrame:
    """Add `poor` and `success_chance` to the rows that may decide.

    `poor`: the arm's own value is worse than the declared floor by a margin that holds at every look, with enough
    exposures. `success_chance`: for primary metrics of group-sequential plans that declare a minimum effect, the
    chance of a significant end if the effect is the minimum one (conditional power); null elsewhere, before a fifth
    of the information is in, and once all of it is.

    Args:
        rows: From `deciding_rows`.

    Returns:
        The rows with both columns.
    """
    return rows.with_columns(_poor(rows), _success_chance(rows))


def first_given_up(rows: pl.DataFrame) -> pl.DataFrame:
    """The first day on which every arm had hardly any chance left, where the plan binds itself to stop then.

    Args:
        rows: As `with_prospects` takes them, of every cut-off so far.

    Returns:
        Per experiment that was given up: `given_up_on`.
    """
    bound = rows.filter(pl.col("futility_binds") & pl.col("comparison").is_not_null())
    return (
        bound.with_columns(_success_chance(bound))
        .group_by("experiment_id", "cut_off", "variant_id")
        .agg(pl.col("success_chance").max(), pl.col("seq_crossed").any())
        .group_by("experiment_id", "cut_off")
        .agg(
            hopeless=pl.col("success_chance").is_not_null().all()
            & (pl.col("success_chance").max() < FUTILE_BELOW)
            # What has crossed a bound before was told apart in time.
            & ~pl.col("seq_crossed").any()
        )
        .filter("hopeless")
        .group_by("experiment_id")
        .agg(given_up_on=pl.col("cut_off").min())
    )


def _poor(rows: pl.DataFrame) -> pl.Series:
    asked = (
        (pl.col("metric") == pl.col("poor_metric"))
        & (pl.col("n") >= pl.col("poor_exposures"))
        & pl.col("comparison").is_not_null()
        & pl.col("mean").is_not_null()
        & pl.col("std_error").is_not_null()
    )
    at = np.flatnonzero(rows.select(asked.fill_null(value=False)).to_series().to_numpy())
    poor = np.zeros(rows.height, dtype=np.bool_)
    if at.size:
        part = rows[at]
        planned = np.maximum(2 * part["min_sample"].to_numpy(), LEAST_PLANNED_UNITS)
        margin = sequence_multiplier(
            part["n"].to_numpy(), planned, part["alpha"].to_numpy(), alternative="less"
        )
        best = part["sign"].to_numpy() * part["mean"].to_numpy() + margin * part["std_error"].to_numpy()
        poor[at] = best < part["sign"].to_numpy() * part["poor_threshold"].to_numpy()
    return pl.Series("poor", poor)


def _success_chance(rows: pl.DataFrame) -> pl.Series:
    asked = (
        (pl.col("plan_method") == "group_sequential")
        & (pl.col("role") == "primary")
        & pl.col("minimum_effect").is_not_null()
        & pl.col("statistic").is_not_null()
        & pl.col("information_fraction").is_between(EARLIEST_FUTILITY, 1, closed="left")
    )
    at = np.flatnonzero(rows.select(asked.fill_null(value=False)).to_series().to_numpy())
    chance = np.full(rows.height, np.nan)
    if at.size:
        part = rows[at]
        final, drift = planned_drift(part)
        z = part["sign"].to_numpy() * part["statistic"].to_numpy()
        chance[at] = conditional_power(z, part["information_fraction"].to_numpy(), final, drift).planned
    return pl.Series("success_chance", chance).fill_nan(None)
