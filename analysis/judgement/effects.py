"""Which figures stand for an effect: the relative lift with its interval, or the difference where none exists."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Effect:
    """An effect and its interval, closed; an end is None where that side is open.

    Attributes:
        value: Relative to the control's absolute value, or in the metric's unit.
        low: Lower end.
        high: Upper end.
        relative: Which of the two.
    """

    value: float
    low: float | None
    high: float | None
    relative: bool

    @property
    def has_interval(self) -> bool:
        """Whether the interval has an end at all."""
        return self.low is not None or self.high is not None

    @property
    def half_width(self) -> float | None:
        """Half the interval, None where it has no two ends."""
        return None if self.low is None or self.high is None else (self.high - self.low) / 2


def effect_of(row: Mapping[str, Any], *, lasting: bool, relative: bool = True) -> Effect | None:
    """The figures of a result row that a reader is told.

    Args:
        row: Of `results.comparisons`.
        lasting: Whether the interval is the one that holds at every look. That of one look never stands in for it:
            before it has an end there is none.
        relative: Whether the relative lift is wanted where it exists; a metric of which something is asked in its own
            unit is told in that unit.

    Returns:
        The effect; None where nothing was compared.
    """
    if row.get("lift_abs") is None:
        return None
    # Levels of segments inform and never decide: plans that spend their error give them the interval of one look.
    informs = (row.get("segment") or "all") != "all" and row.get("seq_look") is None
    often = lasting and not informs
    ends = ("seq_rel", "seq") if often else ("lift_rel", "lift_abs")
    difference = Effect(row["lift_abs"], *_ends(row, ends[1]), relative=False)
    if not relative or row.get("lift_rel") is None or row.get("shown_as") == "absolute":
        return difference
    lift = Effect(row["lift_rel"], *_ends(row, ends[0]), relative=True)
    return difference if difference.has_interval and not lift.has_interval else lift


def _ends(row: Mapping[str, Any], name: str) -> tuple[float | None, float | None]:
    low, high = row.get(f"{name}_low"), row.get(f"{name}_high")
    return _finite(low), _finite(high)


def _finite(end: float | None) -> float | None:
    return end if end is not None and math.isfinite(end) else None


def too_early(row: Mapping[str, Any]) -> str:
    """Why there is no interval that holds at every look yet, and from when on."""
    needed = row.get("seq_units_needed")
    since = "" if needed is None else f", from about {needed:,.0f} units an arm on"
    return f"too early for a bound that holds at every look{since}"
