"""The effect corrected for a stop: of several looks the one that crosses its bound is, on average, too far out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fairsplit.analysis.statistics.group_sequential_inference import final_inference
from fairsplit.analysis.statistics.status import quiet

if TYPE_CHECKING:
    import polars as pl

    from fairsplit.analysis.judgement.lines import Lines
    from fairsplit.analysis.statistics.checks import BoolArray, FloatArray


@dataclass(frozen=True, slots=True)
class Stopped:
    """Corrected effects per pair, from the look that crossed its bound on; NaN before and where none did.

    Attributes:
        lift: Median-unbiased difference, in the metric's unit.
        low: Interval of the plan's level with exact coverage after a stop.
        high: Its upper end; infinite for a one-sided plan.
        p_value: Of no effect, in the stagewise ordering.
    """

    lift: FloatArray
    low: FloatArray
    high: FloatArray
    p_value: FloatArray


@quiet
def corrected_for_stopping(
    pairs: pl.DataFrame,
    statistic: FloatArray,
    se: FloatArray,
    spent: tuple[FloatArray, FloatArray],
    stops: BoolArray,
    level: FloatArray,
    lines: Lines,
) -> Stopped:
    """What is left of the effect once the looks before the stop are taken into account.

    Args:
        pairs: From `paired`, every cut-off from the first on.
        statistic: Signed normal statistic of each pair.
        se: Standard errors of the differences.
        spent: Bound of every look, and the scale on which looks hang together (0 on days that are no look).
        stops: The first crossing of each line.
        level: Error of each pair.
        lines: Of the pairs.

    Returns:
        Arrays in the pairs' order (see `final_inference` for the sources).
    """
    bound, grown = spent
    found = Stopped(*(np.full(pairs.height, np.nan) for _ in range(4)))
    sides = np.where((pairs["alternative"] == "two-sided").to_numpy(), 2, 1)
    sign = np.where((pairs["alternative"] == "less").to_numpy(), -1.0, 1.0)
    whole = lines.rising(grown)
    bounds = lines.matrix(np.where(np.isfinite(bound), bound, np.inf), np.inf)
    for side in (1, 2):
        at = np.flatnonzero(stops & (sides == side) & np.isfinite(statistic) & (se > 0))
        if at.size == 0:
            continue
        row, column = lines.row[at], lines.column[at]
        upper = bounds[row]
        until = np.arange(whole.shape[1]) <= column[:, None]
        # The stop's own information is that of its standard error; the looks before it have their share of it.
        here = np.maximum(whole[row, column], np.finfo(np.float64).tiny)
        information = np.where(until, whole[row] / here[:, None] / se[at][:, None] ** 2, np.nan)
        lower = -upper if side == 2 else np.full(upper.shape, -np.inf)
        known = final_inference(sign[at] * statistic[at], information, upper, lower, level[at], sides=side)
        mirrored = sign[at] < 0
        found.lift[at] = sign[at] * known.estimate
        found.low[at] = np.where(mirrored, -known.high, known.low)
        found.high[at] = np.where(mirrored, -known.low, known.high)
        found.p_value[at] = known.p_value
    # From the stop on it stays what it was.
    stop = lines.latest(stops)
    return Stopped(
        *(
            np.where(stop >= 0, values[stop], np.nan)
            for values in (found.lift, found.low, found.high, found.p_value)
        )
    )
