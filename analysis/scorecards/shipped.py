"""What the portfolio shipped, and what each was worth once luck is taken off."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from analysis.scorecards import format as fmt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from analysis.scorecards.lessons import Lessons

PER_UNITS = 1_000
#: Kinds whose value is one of a unit, so that units add up; a ratio's or a percentile's do not.
_ADDITIVE = frozenset({"count", "proportion", "mean", "revenue", "duration", "retention", "count_distinct"})


@dataclass(frozen=True, slots=True)
class Shipment:
    """A variant that was shipped instead of the control.

    Attributes:
        name: The experiment.
        href: Its page.
        arm: The variant.
        metric: Label of the primary metric.
        unit: The metric's unit.
        kind: What a unit's value is.
        gain: Absolute difference to the control, a unit; None when it could not be computed.
        measured: The relative lift in words.
        valid: Whether the experiment passed its validity checks.
    """

    name: str
    href: str
    arm: str
    metric: str
    unit: str
    kind: str
    gain: float | None
    measured: str
    valid: bool


@dataclass(frozen=True, slots=True)
class ShipmentLine:
    """A shipment with its likely worth, in words."""

    shipment: Shipment
    likely: str
    interval: str
    worth: str


def lines(shipments: Sequence[Shipment], lessons: Lessons | None) -> list[ShipmentLine]:
    """Shipments by name, each beside what the portfolio makes likely of its effect.

    Args:
        shipments: Of all experiments.
        lessons: Shrunken effects; an experiment without one has no likely worth.
    """
    known = {line.effect.href: line for line in lessons.lines} if lessons else {}
    found = []
    for shipment in sorted(shipments, key=lambda item: (item.name.casefold(), item.href)):
        lesson = known.get(shipment.href)
        worth = fmt.MISSING
        if lesson and shipment.gain is not None and shipment.kind in _ADDITIVE:
            worth = _worth(shipment, shipment.gain * lesson.kept)
        found.append(
            ShipmentLine(
                shipment,
                lesson.shrunken if lesson else fmt.MISSING,
                lesson.interval if lesson else fmt.MISSING,
                worth,
            )
        )
    return found


def _worth(shipment: Shipment, gain: float) -> str:
    """The difference over `PER_UNITS` units: of a share the units that it moves, else the metric's sum."""
    total = PER_UNITS * gain
    if fmt.is_rate(shipment.kind, shipment.unit):
        return f"{fmt.plain(total, fmt.decimals_for(total), signed=True)} units"
    size, unit = fmt.time_unit(shipment.unit, total)
    return fmt.amount(total / size, unit, shipment.kind, signed=True, scale=total / size)
