"""What the portfolio shipped, and what each was worth once luck is taken off."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fairsplit.analysis.scorecards import format as fmt
from fairsplit.analysis.scorecards.impact import ADDITIVE, PER_UNITS, total

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairsplit.analysis.scorecards.lessons import Lessons


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
    known = {line.href: line for line in lessons.lines} if lessons else {}
    found = []
    for shipment in sorted(shipments, key=lambda item: (item.name.casefold(), item.href)):
        lesson = known.get(shipment.href)
        worth = fmt.MISSING
        if lesson and shipment.gain is not None and shipment.kind in ADDITIVE:
            worth = total(PER_UNITS, shipment.gain * lesson.kept, shipment.unit, shipment.kind)
        found.append(
            ShipmentLine(
                shipment,
                lesson.shrunken if lesson else fmt.MISSING,
                lesson.interval if lesson else fmt.MISSING,
                worth,
            )
        )
    return found
