"""Which way is better, and what an effect shows: whatever chooses, orders, colours or words a result asks here.

The absolute difference and the metric's declared direction decide, never the sign of a ratio (promise 13). What was
asked of a metric relative to its control is first put into the metric's own unit.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import polars as pl

from fairsplit.analysis.judgement.information import SEQUENTIAL

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The difference in the good direction; rows have the metric's `sign`.
GAIN = pl.col("sign") * pl.col("lift_abs")


def sign_of(direction: str | None) -> int:
    """+1 where more is better, −1 where less is better.

    >>> sign_of("increase"), sign_of("decrease")
    (1, -1)
    """
    return -1 if direction == "decrease" else 1


def gain_of(row: Mapping[str, Any]) -> float | None:
    """The difference of a result row in the good direction; None where there is none.

    >>> gain_of({"direction": "decrease", "lift_abs": -2.0})
    2.0
    """
    difference = row.get("lift_abs")
    return None if difference is None else sign_of(row.get("direction")) * float(difference)


def findings() -> dict[str, pl.Expr]:
    """What each result row shows by its intervals: columns `finding` and `below_minimum`.

    `finding` is ``better``, ``worse``, ``unclear`` or ``unclear_after_correction``; of guardrails ``worse``,
    ``better`` or ``no_harm_seen``, and with a margin ``harmed`` (worse beyond it), ``within_margin`` (any harm is
    smaller) or ``not_yet_safe``; null where nothing was compared. Plans that look repeatedly, and every guardrail, are
    read by the interval that holds at every look. A method without an interval is read by its p-value. Data that do
    not meet what the test requires show nothing.
    `below_minimum` tells that even the best case is smaller than the effect worth finding.

    The rows hold result columns beside `role`, `plan_method`, `alpha`, `sign`, `minimum_abs`, `margin_abs`, and
    `margin_stretch` and `minimum_stretch`, by how much the standard error grows where the control's own is counted.
    """
    sequential = pl.col("plan_method").is_in(SEQUENTIAL)
    guardrail = pl.col("role") == "guardrail"
    # Levels of segments inform and never decide: plans that spend their error give them the interval of one look.
    informs = (pl.col("segment") != "all") & pl.col("seq_look").is_null()
    lasting = (sequential | guardrail) & ~informs
    low = pl.when(lasting).then("seq_low").otherwise("lift_abs_low")
    high = pl.when(lasting).then("seq_high").otherwise("lift_abs_high")
    bounded = low.is_not_null() | high.is_not_null()
    worst, best = _oriented(low.fill_null(-math.inf), high.fill_null(math.inf))
    margin, stretch = pl.col("margin_abs"), pl.col("margin_stretch")
    within = GAIN - (GAIN - worst) * stretch > -margin
    beyond = GAIN + (best - GAIN) * stretch < -margin
    corrected = ~sequential & ~guardrail & (pl.col("p_adjusted") > pl.col("alpha"))
    uncrossed = sequential & (~pl.col("seq_crossed")).fill_null(value=False)
    side = pl.when(GAIN > 0).then(pl.lit("better")).otherwise(pl.lit("worse"))
    nothing = pl.when(guardrail).then(pl.lit("no_harm_seen")).otherwise(pl.lit("unclear"))
    unsound = ~pl.col("requirements_met").fill_null(value=True)
    by_interval = (
        pl.when(unsound | ((worst <= 0) & (best >= 0)))
        .then(nothing)
        .when(uncrossed)
        .then(nothing)
        .when(corrected)
        .then(pl.lit("unclear_after_correction"))
        .otherwise(side)
    )
    by_p_value = (
        pl.when(~unsound & ~lasting & (pl.col("p_adjusted") <= pl.col("alpha"))).then(side).otherwise(nothing)
    )
    by_margin = (
        pl.when(unsound)
        .then(pl.lit("not_yet_safe"))
        .when(within)
        .then(pl.lit("within_margin"))
        .when(beyond)
        .then(pl.lit("harmed"))
        .otherwise(pl.lit("not_yet_safe"))
    )
    return {
        "finding": pl.when(pl.col("lift_abs").is_null())
        .then(None)
        .when(guardrail & pl.col("margin").is_not_null())
        .then(pl.when(bounded & margin.is_not_null()).then(by_margin).otherwise(pl.lit("not_yet_safe")))
        .when(bounded)
        .then(by_interval)
        .otherwise(by_p_value),
        "below_minimum": GAIN + (best - GAIN) * pl.col("minimum_stretch") < pl.col("minimum_abs"),
    }


def _oriented(low: pl.Expr, high: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """The worst and the best case of an interval."""
    increases = pl.col("sign") > 0
    return pl.when(increases).then(low).otherwise(-high), pl.when(increases).then(high).otherwise(-low)
