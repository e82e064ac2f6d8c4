"""How far a flag's ramp has come: its steps by time, held and rolled back by the guardrails of its experiment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING

from fairsplit.analysis.catalogue.fields import duration_text
from fairsplit.analysis.judgement.wording import percent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from fairsplit.analysis.catalogue.flags import Flag, FlagRamp


@dataclass(frozen=True, slots=True)
class RampState:
    """The share in force, 0 to 1, and why in words."""

    rollout: float
    words: str


def ramp_state(flag: Flag, actions: Mapping[date, str], cut_off: date) -> RampState | None:
    """Where a flag's ramp stands at the end of a day; none of a flag without one.

    A day counts for the present step unless the data of the experiment are at fault. A day on which the experiment is
    rolled back, or an arm of it disabled, ends the ramp: nobody gets the value until the file is edited.

    Args:
        flag: The flag.
        actions: What was decided about the flag's experiment, by cut-off.
        cut_off: The day whose end counts.
    """
    ramp = flag.ramp
    if ramp is None:
        return None
    shares = [flag.rollout, *(step.rollout for step in ramp.steps)]
    step, served = 0, timedelta()
    day = ramp.start.date()
    held = False
    while day <= cut_off:
        action = actions.get(day, "wait")
        if action in {"roll_back", "disable_arm"}:
            return RampState(0.0, f"rolled back on {day}: a guardrail of {flag.experiment} is harmed")
        held = action == "fix_data"
        if not held:
            begin = max(ramp.start, datetime.combine(day, time()))
            served += datetime.combine(day + timedelta(days=1), time()) - begin
            # A day takes one step at most: what it serves is seen before the next.
            if step < len(ramp.steps) and served >= ramp.steps[step].after:
                step, served = step + 1, timedelta()
        day += timedelta(days=1)
    return RampState(shares[step], _words(ramp, shares, step, served, held=held))


def _words(ramp: FlagRamp, shares: Sequence[float], step: int, served: timedelta, *, held: bool) -> str:
    if step == len(ramp.steps):
        return f"the ramp is complete at {percent(shares[-1], signed=False)}"
    ahead = f"{percent(shares[step + 1], signed=False)} after {duration_text(ramp.steps[step].after)}"
    if held:
        return (
            f"step {step} of {len(ramp.steps)}, held: the data of its experiment are at fault; then {ahead}"
        )
    return f"step {step} of {len(ramp.steps)}, {served.days} days at it; then {ahead}"
