"""Interval bars: one axis shared by all rows of a table, positions in per cent of the bar's width."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_MIN_REACH = 0.001
_EDGE = 2.0


@dataclass(frozen=True, slots=True)
class Tick:
    """A labelled place on the axis: ``at`` in per cent of the width."""

    at: float
    value: float


@dataclass(frozen=True, slots=True)
class Bar:
    """One estimate on the axis; all places in per cent of the width, None when there is none.

    Attributes:
        low: Lower end of the plain interval, cut at the axis.
        high: Upper end of the plain interval, cut at the axis.
        point: The estimate, None when it lies off the axis.
        outer_low: Lower end of the sequential interval.
        outer_high: Upper end of the sequential interval.
        cut_low: The drawn interval goes on below the axis.
        cut_high: The drawn interval goes on above the axis.
    """

    low: float | None
    high: float | None
    point: float | None
    outer_low: float | None = None
    outer_high: float | None = None
    cut_low: bool = False
    cut_high: bool = False


@dataclass(frozen=True, slots=True)
class Axis:
    """A symmetric axis around zero, from ``-reach`` to ``+reach`` in the units of the estimates."""

    reach: float
    ticks: Sequence[Tick]

    @property
    def zero(self) -> float:
        """Place of zero in per cent."""
        return 50.0

    def place(self, value: float) -> float:
        """Place of ``value`` in per cent, cut to the bar.

        >>> axis_for([(-0.1, 0.1)]).place(0.0)
        50.0
        """
        share = 50.0 + (50.0 - _EDGE) * value / self.reach
        return round(min(max(share, _EDGE), 100.0 - _EDGE), 2)

    def bar(
        self,
        point: float | None,
        low: float | None,
        high: float | None,
        outer: tuple[float | None, float | None] = (None, None),
    ) -> Bar:
        """Places of an estimate and its intervals; an end that is missing is drawn to the edge, with an arrow."""
        inner_low, inner_high = _drawn(low, high)
        outer_low, outer_high = _drawn(*outer)
        lows = [value for value in (inner_low, outer_low) if value is not None]
        highs = [value for value in (inner_high, outer_high) if value is not None]
        visible = point is not None and math.isfinite(point) and abs(point) <= self.reach
        return Bar(
            low=None if inner_low is None else self.place(inner_low),
            high=None if inner_high is None else self.place(inner_high),
            point=self.place(point) if visible and point is not None else None,
            outer_low=None if outer_low is None else self.place(outer_low),
            outer_high=None if outer_high is None else self.place(outer_high),
            cut_low=bool(lows) and min(lows) < -self.reach,
            cut_high=bool(highs) and max(highs) > self.reach,
        )


def _drawn(low: float | None, high: float | None) -> tuple[float | None, float | None]:
    """The ends of what is drawn: an open side goes on for ever, and an interval without any end is none."""
    ends = [end if end is not None and math.isfinite(end) else None for end in (low, high)]
    if ends == [None, None]:
        return None, None
    return -math.inf if ends[0] is None else ends[0], math.inf if ends[1] is None else ends[1]


def _round_up(value: float) -> float:
    """The next of 1, 2, 3, 4, 6 times a power of ten, so that half and whole of the reach are round labels."""
    power = 10.0 ** math.floor(math.log10(value))
    for step in (1.0, 2.0, 3.0, 4.0, 6.0):
        if value <= step * power * (1 + 1e-9):
            return step * power
    return 10.0 * power


def axis_for(bounds: Iterable[tuple[float | None, float | None]]) -> Axis:
    """An axis that shows the given intervals whole; intervals not given here are cut with an arrow.

    Args:
        bounds: Lower and upper bounds that must fit; missing and infinite ones are left out.

    Returns:
        A symmetric axis with five ticks; reach 0.1 when nothing is known.
    """
    ends = [abs(end) for pair in bounds for end in pair if end is not None and math.isfinite(end)]
    reach = _round_up(max(*ends, _MIN_REACH) * 1.02) if ends else 0.1
    ticks = [Tick(50.0 + (50.0 - _EDGE) * share, reach * share) for share in (-1.0, -0.5, 0.0, 0.5, 1.0)]
    return Axis(reach, ticks)
