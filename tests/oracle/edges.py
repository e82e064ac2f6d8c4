"""One small world in which every rule of time, order and identity decides something, landed in three parts.

A random world meets an edge by luck; here each unit is there for one edge, and no other unit's change hides it.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

from tests.oracle.brute_force import DAY, Event
from tests.oracle.homes import DrivenHome
from tests.oracle.worlds import EXPERIMENTS, FIRST_DAY, LAST_DAY, MIDNIGHT, LandedFile, hashed, row_of

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

TICK = timedelta(microseconds=1)


def at(day: int, hour: int = 0) -> datetime:
    """An hour of a day of January."""
    return MIDNIGHT + (day - 1) * DAY + timedelta(hours=hour)


def viewed(event_id: str, when: datetime, arm: str, user: str | None, **more: str) -> Event:
    return Event(
        event_id,
        "experiment_viewed",
        when,
        user,
        **{"experiment_id": "plain", "variation_id": arm} | more,
    )


def bought(event_id: str, when: datetime, user: str | None, **more: str) -> Event:
    return Event(event_id, "purchase", when, user, value="2.5", **more)


def linked(event_id: str, when: datetime, anonymous: str, user: str) -> Event:
    return Event(event_id, "identify", when, user, anonymous)


EARLY = (
    # Exposed at midnight: the window ends with the eleventh, and what happens at its end is outside.
    viewed("mid-1", at(5), "a", "midnight"),
    bought("mid-2", at(5), "midnight"),
    bought("mid-3", at(12), "midnight"),
    # Two arms in one instant.
    viewed("tie-1", at(5, 10), "a", "tie"),
    viewed("tie-2", at(5, 10), "b", "tie"),
    # Both ends of the covariate's window.
    bought("pre-1", at(1, 6) - TICK, "before"),
    bought("pre-2", at(1, 6), "before"),
    viewed("pre-3", at(4, 6), "b", "before"),
    bought("pre-4", at(4, 6), "before"),
    viewed("moved-1", at(8, 9), "b", "moved"),
    viewed("taken-1", at(4, 12), "a", "taken"),
    viewed("taken-2", at(7, 12), "b", "taken"),
    bought("taken-3", at(7, 18), "taken"),
    # The oldest exposure, whose window closes in the second part, where nothing else of it is touched.
    viewed("alone-1", at(4, 3), "a", "alone"),
    bought("alone-2", at(9, 3), "alone"),
    # Its window closes on the thirteenth, a day without any event.
    viewed("quiet-1", at(6, 18), "b", "quiet"),
    viewed("crossed-1", at(5, 15), "a", "crossed"),
    linked("first-1", at(3, 1), "shared-device", "first"),
    linked("second-1", at(7, 1), "shared-device", "second"),
    viewed("first-2", at(5, 12), "a", None, anonymous_id="shared-device"),
    bought("first-3", at(5, 13), None, anonymous_id="shared-device"),
    viewed("values-1", at(5, 10), "a", "links-values"),
    bought("values-2", at(5, 12), None, anonymous_id="phone"),
    viewed("exposure-1", at(6, 10), "a", "links-exposure"),
    viewed("exposure-2", at(5, 10), "b", None, anonymous_id="tablet"),
    viewed("outcome-1", at(5, 10), "a", "outcome"),
    # Activated in the instant of the exposure.
    Event("active-1", "checkout_started", at(4, 10), "active"),
    viewed("active-2", at(4, 10), "c", "active", experiment_id="activated"),
)
ON_TIME = (
    viewed("crossed-2", at(10, 15), "b", "crossed"),
    # The same key again with other content.
    bought("taken-3", at(7, 18), "taken", session_id="another"),
)
LATE = (
    viewed("moved-2", at(4, 9), "a", "moved"),
    Event("taken-4", "correction", at(12, 1), retracts="taken-1"),
    bought("pre-5", at(2, 10), "before"),
    linked("values-3", at(4, 1), "phone", "links-values"),
    linked("exposure-3", at(2, 1), "tablet", "links-exposure"),
    bought("outcome-2", at(5, 11), "outcome"),
    # Beyond every window of its unit.
    bought("quiet-2", at(14, 12), "quiet"),
)


def files() -> list[LandedFile]:
    """One file a part."""
    landed = []
    for name, events in (("early", EARLY), ("on-time", ON_TIME), ("late", LATE)):
        rows = tuple(hashed(event) for event in events)
        text = "".join(json.dumps(row_of(event)) + "\n" for event in rows)
        landed.append(LandedFile(f"{name}.ndjson", text, MIDNIGHT + 20 * DAY, rows))
    return landed


def step_by_step(folder: Path) -> DrivenHome:
    """Land and build part after part: eight days, four, one with everything late, and a last one that is only new."""
    home = DrivenHome(folder, EXPERIMENTS)
    for file, to in zip(files(), (FIRST_DAY + 7 * DAY, FIRST_DAY + 11 * DAY, LAST_DAY - DAY), strict=True):
        home.land(file)
        home.ingest()
        home.build(to)
    home.build(LAST_DAY)
    return home
