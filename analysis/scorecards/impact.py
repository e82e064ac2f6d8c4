"""What a difference means in numbers of a business: over 1,000 units, and over a month of everybody eligible."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from fairsplit.analysis.scorecards import format as fmt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairsplit.analysis.judgement.effects import Effect
    from fairsplit.analysis.scorecards.inputs import ExperimentView, MetricView

Row = dict[str, Any]
PER_UNITS = 1_000
DAYS_A_MONTH = 30
#: Kinds whose value is one of a unit, so that units add up; a ratio's or a percentile's do not.
ADDITIVE = frozenset({"count", "proportion", "mean", "revenue", "duration", "retention", "count_distinct"})
#: Days of intake below which a month is not extrapolated: each weekday has been seen.
_LEAST_DAYS = 7


def total(units: float, gain: float, unit: str, kind: str, *, scale: float | None = None) -> str:
    """A difference a unit, over so many units: of a share the units that it moves, else the metric's sum.

    Args:
        units: How many.
        gain: The difference of one unit, in the metric's unit.
        unit: The metric's unit.
        kind: The metric's kind.
        scale: A difference of one unit whose size over the units sets the decimals; that of `gain` without it.

    >>> total(1_000, 0.0052, "", "proportion"), total(1_000, -0.31, "USD", "revenue")
    ('+5.2 units', '−$310')
    """
    moved = units * gain
    size = abs(units * (gain if scale is None else scale))
    if fmt.is_rate(kind, unit):
        return f"{fmt.plain(moved, fmt.decimals_for(size), signed=True)} units"
    divisor, shown = fmt.time_unit(unit, size)
    return fmt.amount(moved / divisor, shown, kind, signed=True, scale=size / divisor)


def eligible_a_month(experiment: ExperimentView, exposures: Sequence[Row]) -> float | None:
    """Units that 30 days would let in were nobody left out by traffic or layer; None before a week of intake.

    Each day's units count with the share of the eligible that was let in on it.
    """
    by_day: dict[Any, int] = {}
    for row in exposures:
        by_day[row["exposure_day"]] = by_day.get(row["exposure_day"], 0) + row["units"]
    if not by_day or not experiment.intake:
        return None
    days = int((max(by_day) - min(by_day)).days) + 1
    if days < _LEAST_DAYS:
        return None
    everybody = 0.0
    for day, units in by_day.items():
        shares = [share for start, share in experiment.intake if start.date() <= day]
        share = shares[-1] if shares else experiment.intake[0][1]
        if share <= 0:
            return None
        everybody += units / share
    return everybody * DAYS_A_MONTH / float(days)


def impact_lines(
    difference: Effect | None, metric: MetricView, arm: str, month: float | None
) -> list[tuple[str, str, str]]:
    """Name, value and interval of what `arm` would bring; nothing for metrics that do not add up over units."""
    if difference is None or metric.kind not in ADDITIVE or not difference.has_interval:
        return []
    lines = [(f"{arm}, over {fmt.count(PER_UNITS)} units", PER_UNITS * 1.0)]
    if month is not None and math.isfinite(month):
        lines.append((f"{arm}, a month of all {fmt.count(_two_digits(month))} eligible", month))
    found = []
    for name, units in lines:
        ends = (difference.low, difference.high)
        scale = difference.half_width or difference.value
        value, low, high = (
            "no bound" if end is None else total(units, end, metric.unit, metric.kind, scale=scale)
            for end in (difference.value, *ends)
        )
        found.append((name, value, fmt.between(low, high)))
    return found


def _two_digits(value: float) -> float:
    """An extrapolated count is not known to more than two digits."""
    return float(f"{value:.2g}")
