"""Boxes on the map: ranges of latitude and longitude as ranges of two attributes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from fairsplit.analysis.catalogue.fields import Items, Name, Strict

if TYPE_CHECKING:
    from collections.abc import Iterator

Degrees = int | float
Span = tuple[Degrees, Degrees]
_EAST, _WEST = 180, -180


class Box(Strict):
    """Degrees, both ends included; a longitude whose west is greater than its east lies over the antimeridian."""

    latitude: Annotated[Items[Degrees], Field(min_length=2, max_length=2)]
    """``[south, north]``, from -90 to 90."""
    longitude: Annotated[Items[Degrees], Field(min_length=2, max_length=2)]
    """``[west, east]``, from -180 to 180."""
    attributes: Annotated[Items[Name], Field(min_length=2, max_length=2)] = ("latitude", "longitude")
    """The subject attributes that hold the two, in this order."""

    @property
    def spans(self) -> tuple[tuple[str, tuple[Span, ...]], ...]:
        """Per attribute the closed ranges in one of which its value lies."""
        south, north = self.latitude
        west, east = self.longitude
        around = ((west, east),) if west <= east else ((west, _EAST), (_WEST, east))
        return (self.attributes[0], ((south, north),)), (self.attributes[1], around)


def box_faults(box: Box) -> Iterator[tuple[str, str, str, str]]:
    """What the box's shape cannot say.

    Yields:
        Field, fault, value and rule.
    """
    for name, values, limit in (("latitude", box.latitude, 90), ("longitude", box.longitude, 180)):
        if not all(-limit <= value <= limit for value in values):
            value = ", ".join(f"{one:g}" for one in values)
            yield name, "is not on the map", value, f"degrees from -{limit} to {limit}"
    south, north = box.latitude
    if south > north:
        yield "latitude", "the bounds are reversed", f"{south:g}, {north:g}", "[south, north]"
