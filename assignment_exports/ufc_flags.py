"""Feature flags as UFC flags: allocations for the overrides, then the rollout, then the default.

A dependency is compiled into the rollout: the conditions, shards and dates under which the other flag serves the wanted
value. The subject key of an SDK call is the attribute ``id`` of its rules, which is how overrides name units.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from fairsplit.analysis.catalogue.shards import TOTAL_SHARDS, share_to_shards
from fairsplit.analysis.errors import Problem
from fairsplit.assignment_exports.eligibility import inline_segments
from fairsplit.assignment_exports.errors import ExportError
from fairsplit.assignment_exports.flags import OFF, ON, overrides_of, rollout_salt, whom_serves
from fairsplit.assignment_exports.rules import IS_UNIT, MAX_RULES, SUBJECT, rules_of
from fairsplit.assignment_exports.times import stretches
from fairsplit.assignment_exports.ufc import timestamp

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fairsplit.analysis.catalogue import Flag
    from fairsplit.analysis.catalogue.conditions import Condition
    from fairsplit.analysis.catalogue.flags import Dependency

Json = dict[str, Any]
_FIRST, _LAST = datetime.min, datetime.max  # noqa: DTZ901 - instants are naive UTC in this project
_TYPES: Final = {
    "boolean": "BOOLEAN",
    "string": "STRING",
    "integer": "INTEGER",
    "number": "NUMERIC",
    "json": "JSON",
}


@dataclass(frozen=True, slots=True)
class _Gate:
    """One way in: conditions and shards that must all hold, in ``[start, end)``."""

    conditions: tuple[Json, ...] = ()
    shards: tuple[Json, ...] = ()
    start: datetime = _FIRST
    end: datetime = _LAST

    def __and__(self, other: _Gate) -> _Gate:
        """Both; what they share, as flags that depend on the same one do, is said once."""
        conditions = [condition for condition in other.conditions if condition not in self.conditions]
        shards = [shard for shard in other.shards if shard not in self.shards]
        return _Gate(
            (*self.conditions, *conditions),
            (*self.shards, *shards),
            max(self.start, other.start),
            min(self.end, other.end),
        )


def ufc_flag(
    flag: Flag,
    flags: Mapping[str, Flag],
    segments: Mapping[str, Condition],
    as_of: datetime,
    prefix: str = "",
) -> dict[str, Json]:
    """The UFC flag of a feature flag, by key.

    Args:
        flag: A checked flag.
        flags: All checked flags, for dependencies.
        segments: Conditions of the named segments.
        as_of: The cut-off instant of the export, naive UTC, from which times are written out.
        prefix: Put before the key.

    Raises:
        ExportError: UFC cannot express the targeting or a dependency.
    """
    key = prefix + flag.id
    values = {ON: flag.served, OFF: flag.default}
    allocations = []
    for name, value, units in overrides_of(flag):
        values[name] = value
        allocations.append(_allocation(f"{key}-{name}", name, _Gate((_named(units),))))
    for number, gate in enumerate(_rollout(flag, flags, segments, as_of)):
        allocations.append(_allocation(f"{key}-{ON}-{number}", ON, gate & _Gate((IS_UNIT,))))
    allocations.append(_allocation(f"{key}-{OFF}", OFF, _Gate()))
    return {
        key: {
            "key": key,
            "enabled": True,
            "variationType": _TYPES[flag.type],
            "variations": {
                name: {"key": name, "value": _wire(flag, value)} for name, value in values.items()
            },
            "allocations": allocations,
            "totalShards": TOTAL_SHARDS,
        }
    }


def _rollout(
    flag: Flag, flags: Mapping[str, Flag], segments: Mapping[str, Condition], as_of: datetime
) -> list[_Gate]:
    if not flag.enabled:
        return []
    parts = [[_Gate(shards=(_shards(flag, 0, share_to_shards(flag.rollout)),))]]
    if flag.targeting is not None:
        parts.append(_targeted(inline_segments(flag.targeting, segments), as_of))
    parts += (_serving(need, flag, flags, segments, as_of) for need in flag.depends_on)
    return _every(parts, flag)


def _targeted(condition: Condition, as_of: datetime) -> list[_Gate]:
    return [
        _Gate(tuple(rule["conditions"]), (), start, end or _LAST)
        for start, end, left in stretches(condition, _FIRST, None, as_of)
        for rule in ([{"conditions": []}] if left is None else rules_of(left))
    ]


def _serving(
    need: Dependency,
    flag: Flag,
    flags: Mapping[str, Flag],
    segments: Mapping[str, Condition],
    as_of: datetime,
) -> list[_Gate]:
    """The ways in which another flag serves the wanted value."""
    other = flags[need.flag]
    named, others = whom_serves(need, flag, flags)
    unnamed = _Gate((_named(sorted(other.overrides), "NOT_ONE_OF"),) if other.overrides else ())
    ways = [_Gate((_named(named),))] if named else []
    if others == "always":
        ways.append(unnamed)
    elif others == "inside":
        ways += [unnamed & gate for gate in _rollout(other, flags, segments, as_of)]
    elif others == "outside":
        if other.targeting is not None or other.depends_on:
            raise ExportError(
                Problem(
                    "UFC cannot wait for the default of a flag that is targeted or depends on others",
                    where=flag.id,
                    value=f"depends on {other.id} = {json.dumps(need.value)}",
                    rule="depend on the value that the rollout serves",
                    hint="turn the other flag's default and value round, or serve both with sdk: flagd or growthbook",
                )
            )
        ways.append(unnamed & _Gate(shards=(_shards(other, share_to_shards(other.rollout), TOTAL_SHARDS),)))
    return ways


def _every(parts: list[list[_Gate]], flag: Flag) -> list[_Gate]:
    """The ways in through all parts, without those that are never open."""
    ways = [_Gate()]
    for part in parts:
        both = (way & other for way in ways for other in part)
        ways = [way for way in both if way.start < way.end]
        if len(ways) > MAX_RULES:
            raise ExportError(
                Problem(
                    "the flag is too intricate for UFC",
                    where=flag.id,
                    value=f"{len(ways)} allocations once multiplied out",
                    rule=f"at most {MAX_RULES}",
                    hint="compute the condition as one attribute in the warehouse and target that attribute",
                )
            )
    return ways


def _named(units: list[str], operator: str = "ONE_OF") -> Json:
    return {"attribute": SUBJECT, "operator": operator, "value": units}


def _shards(flag: Flag, begin: int, end: int) -> Json:
    return {"salt": rollout_salt(flag), "ranges": [{"start": begin, "end": end}]}


def _allocation(key: str, variation: str, gate: _Gate) -> Json:
    return {
        "key": key,
        "startAt": None if gate.start == _FIRST else timestamp(gate.start),
        "endAt": None if gate.end == _LAST else timestamp(gate.end),
        "rules": [{"conditions": list(gate.conditions)}] if gate.conditions else [],
        "splits": [{"variationKey": variation, "shards": list(gate.shards), "extraLogging": {}}],
        "doLog": False,
    }


def _wire(flag: Flag, value: Any) -> Any:
    return json.dumps(value, sort_keys=True, ensure_ascii=False) if flag.type == "json" else value
