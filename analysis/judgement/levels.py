"""Means of all arms under the same weights of the phases, for what compares more than two of them at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from fairsplit.analysis.judgement.pairing import GROUP, LETTERS
from fairsplit.analysis.judgement.rows import COMPARISON_KEY
from fairsplit.analysis.judgement.strata import cell_arrays, split_cells, stratum_shares
from fairsplit.analysis.statistics.moments import JointMoments
from fairsplit.analysis.statistics.ratios import linearised
from fairsplit.analysis.statistics.stratified import over_strata

if TYPE_CHECKING:
    from fairsplit.analysis.judgement.strata import Strata


def with_levels(rows: pl.DataFrame, strata: Strata) -> pl.DataFrame:
    """The rows with `phase_mean` and `phase_std_error` where the weights of the units so far have changed.

    A treatment's lift weighs the phases by the units of the two arms that it compares. A factorial's effects are made
    of all its cells, so that each phase must weigh alike in every one: by its share of all units, over the phases in
    which every arm has one.

    Args:
        rows: From `defined_rows`.
        strata: Phases and their sums.
    """
    places = rows.select(GROUP).unique(maintain_order=True).with_row_index("row")
    numbered = rows.join(places, on=list(GROUP), how="left", maintain_order="left")
    asked = numbered.join(strata.common, on="experiment_id", how="inner").with_columns(
        side="position", kind=pl.lit("phase")
    )
    if asked.is_empty():
        return rows
    cells = split_cells(asked, strata.sums)
    if cells.is_empty():
        return rows
    sides = int(numbered["position"].to_numpy().max()) + 1
    at, (n, mean, m2) = cell_arrays(cells, sides=sides)
    arms = numbered.filter(pl.col("row").is_in(at.implode())).select(
        "row", "position", "is_ratio", *COMPARISON_KEY
    )
    place = {int(row): number for number, row in enumerate(at)}
    row = np.array([place[int(number)] for number in arms["row"]], dtype=np.intp)
    side = arms["position"].to_numpy()
    exists = np.zeros((at.len(), sides), dtype=np.bool_)
    exists[row, side] = True
    counted, share = stratum_shares(n, exists)
    one = over_strata(JointMoments(n[row, :, side], mean[row, :, side], m2[row, :, side]), share[row]).select(
        [LETTERS.index("y"), LETTERS.index("d")]
    )
    ratio, plain = linearised(one).variable(0), one.variable(0)
    is_ratio, usable = arms["is_ratio"].to_numpy(), np.asarray(counted.any(axis=-1))[row]
    found = arms.select(COMPARISON_KEY).with_columns(
        pl.Series(name, np.where(usable, np.where(is_ratio, of_ratio, of_mean), np.nan)).fill_nan(None)
        for name, of_ratio, of_mean in (
            ("phase_mean", ratio.mean, plain.mean),
            ("phase_std_error", np.sqrt(ratio.variance_of_mean), np.sqrt(plain.variance_of_mean)),
        )
    )
    return rows.join(found, on=list(COMPARISON_KEY), how="left", maintain_order="left")
