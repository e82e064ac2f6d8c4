"""Feature flags for flagd: one JSON logic ``if`` of overrides, rollout and default.

JSON logic nests, so a dependency is written out where it is needed: the condition under which the other flag serves
the wanted value, its default included. A targeting with times is written out in windows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fairsplit.analysis.catalogue.shards import share_to_shards
from fairsplit.analysis.errors import Problem
from fairsplit.assignment_exports.eligibility import inline_segments
from fairsplit.assignment_exports.errors import ExportError
from fairsplit.assignment_exports.flagd import NOBODY, UNIT, Logic, before, flagd_condition, in_time, within
from fairsplit.assignment_exports.flags import (
    OFF,
    ON,
    depends_on_time,
    overrides_of,
    rollout_salt,
    whom_serves,
)
from fairsplit.assignment_exports.rules import MAX_RULES
from fairsplit.assignment_exports.times import HORIZON, is_timed, stretches

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from fairsplit.analysis.catalogue import Flag
    from fairsplit.analysis.catalogue.conditions import Condition
    from fairsplit.analysis.catalogue.flags import Dependency


def flagd_flag(
    flag: Flag,
    flags: Mapping[str, Flag],
    segments: Mapping[str, Condition],
    as_of: datetime,
    prefix: str = "",
) -> dict[str, dict[str, Any]]:
    """The flagd flag of a feature flag, by key.

    Args:
        flag: A checked flag.
        flags: All checked flags, for dependencies.
        segments: Conditions of the named segments.
        as_of: The cut-off instant of the export, naive UTC, from which times are written out.
        prefix: Put before the key.

    Raises:
        ExportError: flagd cannot express a value, the targeting or a dependency.
    """
    variants = {ON: flag.served, OFF: flag.default}
    steps: list[Logic] = []
    for name, value, units in overrides_of(flag):
        variants[name] = value
        steps += [_is_one_of(units), name]
    _refuse_lists(flag, variants)
    if flag.enabled:
        inside = _inside(flag, flags, segments, as_of, iter(range(MAX_RULES)))
        if depends_on_time(flag, flags, segments):
            # Beyond the horizon a flag that waits for another's default must stop too.
            inside = {"and": [before(as_of + HORIZON), inside]}
        steps += [inside, ON]
    return {
        prefix + flag.id: {
            "state": "ENABLED",
            "defaultVariant": OFF,
            "variants": variants,
            "targeting": {"if": [NOBODY, OFF, *steps, OFF]} if steps else {},
        }
    }


def _inside(
    flag: Flag,
    flags: Mapping[str, Flag],
    segments: Mapping[str, Condition],
    as_of: datetime,
    room: Iterator[int],
) -> Logic:
    """Whether an enabled flag lets a unit without an override in; each flag written out takes one of the room."""
    if next(room, None) is None:
        raise ExportError(
            Problem(
                "the dependencies are too intricate for flagd",
                value=f"{flag.id} is written out once more",
                rule=f"at most {MAX_RULES} flags, counted as often as others lead to them",
                hint="depend on the last flag alone, or serve them with sdk: growthbook",
            )
        )
    parts = [within(rollout_salt(flag), 0, share_to_shards(flag.rollout))]
    if flag.targeting is not None:
        parts.append(_targeted(inline_segments(flag.targeting, segments), as_of))
    needs = (_serves(need, flag, flags, segments, as_of, room) for need in flag.depends_on)
    return {"and": [*parts, *needs]}


def _targeted(condition: Condition, as_of: datetime) -> Logic:
    if not is_timed(condition):
        return flagd_condition(condition)
    windows = [{"and": in_time(*stretch)} for stretch in stretches(condition, as_of, None, as_of)]
    return {"or": windows} if windows else False


def _serves(
    need: Dependency,
    flag: Flag,
    flags: Mapping[str, Flag],
    segments: Mapping[str, Condition],
    as_of: datetime,
    room: Iterator[int],
) -> Logic:
    other = flags[need.flag]
    named, others = whom_serves(need, flag, flags)
    met: Logic = others == "always"
    if others in {"inside", "outside"}:
        inside = _inside(other, flags, segments, as_of, room)
        met = inside if others == "inside" else {"!": [inside]}
    return {"if": [_is_one_of(sorted(other.overrides)), _is_one_of(named), met]} if other.overrides else met


def _is_one_of(units: list[str]) -> Logic:
    return {"in": [UNIT, units]}


def _refuse_lists(flag: Flag, variants: Mapping[str, Any]) -> None:
    for name, value in variants.items():
        if isinstance(value, list):
            raise ExportError(
                Problem(
                    "flagd's JSON flags serve objects, not lists",
                    where=flag.id,
                    value=f"{name}: {value}",
                    rule="an object",
                    hint="wrap the list in an object, or serve the flag with sdk: ufc or growthbook",
                )
            )
