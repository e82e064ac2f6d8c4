"""Conditions on the time as stretches in which they do not change, for payloads whose flags have dates.

No SDK has a rule about hours or weekdays, so the days after the cut-off are written out: what holds from when until
when, half-open. After the horizon nobody is let in: a config that nobody renews stops rather than going on wrongly.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, NoReturn

from fairsplit.analysis.catalogue.conditions import Condition
from fairsplit.analysis.errors import Problem
from fairsplit.assignment_exports.errors import ExportError

HORIZON: Final = timedelta(days=14)
# Every zone lies a whole number of quarters from UTC, and no test is finer than an hour of its zone.
_STEP: Final = timedelta(minutes=15)
Stretch = tuple[datetime, "datetime | None", "Condition | None"]


def stretches(
    condition: Condition | None, start: datetime, end: datetime | None, as_of: datetime
) -> list[Stretch]:
    """The parts of an interval in which a condition asks the same, with what it asks there of a unit.

    Args:
        condition: Without named segments; none lets everybody in.
        start: Naive UTC; the interval is half-open.
        end: None when open.
        as_of: The cut-off instant: the next `HORIZON` is written out.

    Returns:
        Begin, end and condition without tests of the time (none: everybody), where it can let somebody in. A
        condition that does not depend on the time gives the whole interval.
    """
    if condition is None or not is_timed(condition):
        return [(start, end, condition)]
    horizon = as_of + HORIZON
    begin, stop = max(start, as_of), horizon if end is None else min(end, horizon)
    found: list[tuple[datetime, datetime, Condition | bool]] = []
    at = begin
    while at < stop:
        following = min(_next_step(at), stop)
        now = _at(condition, at)
        if found and found[-1][2] == now:
            found[-1] = (found[-1][0], following, now)
        else:
            found.append((at, following, now))
        at = following
    return [(one, other, None if now is True else now) for one, other, now in found if now is not False]


def is_timed(condition: Condition) -> bool:
    """Whether the time is part of a condition without named segments."""
    return condition.kind == "when" or any(is_timed(part) for part in condition.parts)


def refuse_time(target: str) -> NoReturn:
    """Say that a target cannot know the time.

    Raises:
        ExportError: Always.
    """
    raise ExportError(
        Problem(
            f"{target} cannot tell the time",
            value="when",
            rule="conditions on attributes",
            hint="pass the local hour, weekday or date as an attribute and test that, "
            "or serve it with sdk: ufc or flagd",
        )
    )


def _next_step(at: datetime) -> datetime:
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + ((at - midnight) // _STEP + 1) * _STEP


def _at(condition: Condition, at: datetime) -> Condition | bool:
    """The condition at an instant: tests of the time put in place and taken out."""
    if condition.when is not None:
        # Unknown lets nobody in, whichever way it is asked: a test of an attribute that no unit has.
        verdict = condition.when.holds(at)
        return (
            Condition.model_construct(attribute="time:unknown", equals=True) if verdict is None else verdict
        )
    if not is_timed(condition):
        return condition
    parts = [_at(part, at) for part in condition.parts]
    if condition.kind == "not":
        (part,) = parts
        return not part if isinstance(part, bool) else condition.model_copy(update={"not_": part})
    settles = condition.kind == "any"
    if any(part is settles for part in parts):
        return settles
    left = tuple(part for part in parts if not isinstance(part, bool))
    if not left:
        return not settles
    return left[0] if len(left) == 1 else condition.model_copy(update={condition.kind: left})
