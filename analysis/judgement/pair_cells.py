"""The cells of pairs of experiments as arrays: stratum × arm × other arm, controls first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from fairsplit.analysis.statistics.moments import JointMoments

if TYPE_CHECKING:
    from fairsplit.analysis.statistics.checks import BoolArray, FloatArray, IntArray

#: What a row of `results.interactions` is of.
PAIR: Final = ("experiment_id", "other_id", "metric")
_STRATUM: Final = (*PAIR, "phase", "other_phase")
_SUMS: Final = ("sum_y", "sum_d", "sum_yy", "sum_yd", "sum_dd")
#: Tests of the arms' means; the others compare something whose cells do not add up.
_OF_MEANS: Final = ("welch", "proportion", "z", "ratio")


@dataclass(frozen=True, slots=True)
class Strata:
    """Moments of the units that are in both experiments of a pair.

    Attributes:
        pairs: experiment_id, other_id, metric and `units`, a row per pair, sorted.
        pair: Row of `pairs` of each stratum.
        n: Units, shape (strata, arms, other arms); 0 in cells that a pair does not have.
        mean: Their mean, of a ratio its linearised values.
        m2: Centred sums of squares.
        arms: Names of the arms of each pair, the control first.
        other_arms: The same of the other experiment.
    """

    pairs: pl.DataFrame
    pair: IntArray
    n: FloatArray
    mean: FloatArray
    m2: FloatArray
    arms: list[list[str]]
    other_arms: list[list[str]]


def pair_strata(cells: pl.DataFrame, variants: pl.DataFrame, uses: pl.DataFrame) -> Strata | None:
    """Add up the days of `fct_pair_cells` and lay the cells out.

    Args:
        cells: Rows that count.
        variants: From `variant_frame`.
        uses: From `use_frame`, with `scale_y` and `scale_d`; metrics that compare no means are left out.

    Returns:
        None where no two experiments share a unit.
    """
    arms = (
        variants.with_columns(later=pl.col("variant_id") != pl.col("control_id"))
        .sort("experiment_id", "later", "position")
        .with_columns(place=pl.int_range(pl.len()).over("experiment_id"))
        .select("experiment_id", "variant_id", "place")
    )
    others = arms.rename({"experiment_id": "other_id", "variant_id": "other_variant", "place": "other_place"})
    scales = uses.filter((pl.col("role") == "primary") & pl.col("test").is_in(_OF_MEANS)).select(
        "experiment_id", "metric", "scale_y", "scale_d", is_ratio=pl.col("test") == "ratio"
    )
    rows = (
        cells.group_by(*_STRATUM, "variant_id", "other_variant")
        .agg(pl.col("n").sum(), *(pl.col(name).cast(pl.Int128).sum() for name in _SUMS))
        .join(scales, on=["experiment_id", "metric"])
        .join(arms, on=["experiment_id", "variant_id"])
        .join(others, on=["other_id", "other_variant"])
        .filter(pl.col("n") > 0)
        .with_columns(pl.col("scale_d").fill_null(1))
        .sort(*_STRATUM, "place", "other_place")
    )
    if rows.is_empty():
        return None
    of_pair = rows.select(pl.struct(PAIR).rank("dense").cast(pl.Int64) - 1).to_series().to_numpy()
    of_stratum = rows.select(pl.struct(_STRATUM).rank("dense").cast(pl.Int64) - 1).to_series().to_numpy()
    pairs = rows.group_by(PAIR).agg(units=pl.col("n").sum()).sort(PAIR)
    mean, m2, usable = _values(rows, of_pair)
    at = (of_stratum, rows["place"].to_numpy(), rows["other_place"].to_numpy())
    shape = (int(of_stratum.max()) + 1, max(int(at[1].max()) + 1, 2), max(int(at[2].max()) + 1, 2))

    def laid(values: FloatArray) -> FloatArray:
        grid = np.zeros(shape)
        grid[at] = values
        return grid

    pair = np.zeros(shape[0], dtype=np.int64)
    pair[of_stratum] = of_pair
    named = {
        str(key[0]): part["variant_id"].to_list()
        for key, part in arms.partition_by("experiment_id", as_dict=True).items()
    }
    return Strata(
        pairs=pairs,
        pair=pair,
        n=laid(np.where(usable, rows["n"].to_numpy(), 0.0)),
        mean=laid(mean),
        m2=laid(m2),
        arms=[named[one] for one in pairs["experiment_id"]],
        other_arms=[named[one] for one in pairs["other_id"]],
    )


def _values(rows: pl.DataFrame, of_pair: IntArray) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Mean and centred squares of each cell, and whether it has any.

    A ratio's are those of its linearised values (y - R d) / mean d, with R of all cells of the pair.
    """
    joint = JointMoments.from_frame(rows, "yd", scales={"y": "scale_y", "d": "scale_d"})
    mean, m2 = joint.mean[:, 0], joint.m2[:, 0, 0]
    ratio = rows["is_ratio"].to_numpy()
    n = rows["n"].to_numpy().astype(np.float64)
    top, bottom, units = (
        np.bincount(of_pair, weights=weights)[of_pair] for weights in (n * mean, n * joint.mean[:, 1], n)
    )
    usable = ~ratio | (bottom > 0)
    share = np.divide(top, bottom, out=np.zeros_like(top), where=ratio & usable)
    per_unit = np.divide(bottom, units, out=np.ones_like(top), where=ratio & usable)
    linear = share + (mean - share * joint.mean[:, 1]) / per_unit
    spread = (m2 - 2 * share * joint.m2[:, 0, 1] + share**2 * joint.m2[:, 1, 1]) / per_unit**2
    linear, spread = np.where(ratio, linear, mean), np.where(ratio, np.maximum(spread, 0.0), m2)
    return np.where(usable, linear, 0.0), np.where(usable, spread, 0.0), usable
