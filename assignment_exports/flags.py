"""What a feature flag serves: an override first, then the rollout's value to whom it lets in, else the default.

Every family compiles this meaning in its own way (`ufc_flags`, `flagd_flags`, `growthbook_flags`); `serve` is the
rule for one unit, with the hash of the flag's family.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, Literal

from fairsplit.analysis.catalogue.conditions import evaluate
from fairsplit.analysis.catalogue.shards import shard, share_to_shards
from fairsplit.analysis.errors import Problem
from fairsplit.assignment_exports.eligibility import inline_segments
from fairsplit.assignment_exports.errors import ExportError
from fairsplit.assignment_exports.times import is_timed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from fairsplit.analysis.catalogue import Flag
    from fairsplit.analysis.catalogue.conditions import Condition
    from fairsplit.analysis.catalogue.flags import Dependency

Json = dict[str, Any]
Others = Literal["always", "inside", "outside", "never"]
ON: Final = "on"
OFF: Final = "off"


def serve(
    flag: Flag,
    flags: Mapping[str, Flag],
    unit: str,
    attributes: Mapping[str, Any],
    segments: Mapping[str, Condition],
    at: datetime | None = None,
) -> Any:
    """The value that one unit gets.

    Args:
        flag: A checked flag.
        flags: All checked flags, for dependencies.
        unit: The unit's id.
        attributes: Its attributes.
        segments: Conditions of the named segments.
        at: The instant, naive UTC; without one, what depends on time lets nobody in.
    """
    if unit in flag.overrides:
        return flag.overrides[unit]
    inside = (
        flag.enabled
        and all(
            same_value(serve(flags[need.flag], flags, unit, attributes, segments, at), need.value)
            for need in flag.depends_on
        )
        and evaluate(flag.targeting, attributes, segments, at) is True
        and shard(rollout_salt(flag), unit, flag.sdk) < share_to_shards(flag.rollout)
    )
    return flag.served if inside else flag.default


def rollout_salt(flag: Flag) -> str:
    """The salt that decides whether the rollout reaches a unit."""
    return f"{flag.id}-rollout"


def same_value(one: Any, other: Any) -> bool:
    """Whether two values are one JSON value: 1.0 is 1, true is not."""
    return _canonical(one) == _canonical(other)


def overrides_of(flag: Flag) -> list[tuple[str, Any, list[str]]]:
    """Each overriding value with a name of its own and the units that get it."""
    groups: dict[str, tuple[Any, list[str]]] = {}
    for unit, value in sorted(flag.overrides.items()):
        groups.setdefault(_canonical(value), (value, []))[1].append(unit)
    return [(f"override-{number}", value, units) for number, (value, units) in enumerate(groups.values())]


def whom_serves(need: Dependency, flag: Flag, flags: Mapping[str, Flag]) -> tuple[list[str], Others]:
    """To whom the flag that another depends on serves the wanted value.

    Args:
        need: The dependency.
        flag: The flag that has it.
        flags: All checked flags.

    Returns:
        The units that get it by an override, and which units without an override get it: those inside the rollout
        or outside of it, all, or none.

    Raises:
        ExportError: Nobody ever gets that value.
    """
    other = flags[need.flag]
    named = [unit for unit, value in sorted(other.overrides.items()) if same_value(value, need.value)]
    by_value = other.enabled and same_value(other.served, need.value)
    by_default = same_value(other.default, need.value)
    others: Others = "never"
    if by_default:
        others = "always" if by_value or not other.enabled else "outside"
    elif by_value:
        others = "inside"
    if others == "never" and not named:
        raise ExportError(
            Problem(
                "the dependency can never be met",
                where=flag.id,
                value=f"{other.id} = {json.dumps(need.value)}",
                rule=f"a value that {other.id} serves: {json.dumps(other.served)}, {json.dumps(other.default)}",
            )
        )
    return named, others


def depends_on_time(flag: Flag, flags: Mapping[str, Flag], segments: Mapping[str, Condition]) -> bool:
    """Whether the time is part of a flag's targeting, or of that of a flag that it depends on."""
    return (flag.targeting is not None and is_timed(inline_segments(flag.targeting, segments))) or any(
        depends_on_time(flags[need.flag], flags, segments) for need in flag.depends_on
    )


def describe_flag(flag: Flag) -> Json:
    """What a flag does, as plain values that can be compared and read."""
    targeting = flag.targeting
    return {
        "sdk": flag.sdk,
        "enabled": flag.enabled,
        "type": flag.type,
        "default": flag.default,
        "value": flag.served,
        "traffic": flag.rollout,
        "targeting": None
        if targeting is None
        else targeting.model_dump(mode="json", by_alias=True, exclude_none=True),
        "depends_on": [need.model_dump(mode="json") for need in flag.depends_on],
        "overrides": dict(flag.overrides),
    }


def _canonical(value: Any) -> str:
    return json.dumps(json.loads(json.dumps(value), parse_float=_number), sort_keys=True)


def _number(text: str) -> int | float:
    number = float(text)
    return int(number) if number.is_integer() else number
