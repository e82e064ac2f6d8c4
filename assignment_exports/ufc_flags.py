"""Feature flags as UFC flags: allocations for the overrides, then the rollout, then the default.

A dependency is compiled into the rollout: the conditions and shards under which the other flag serves the wanted
value. The subject key of an SDK call is the attribute ``id`` of its rules, which is how overrides name units.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any, Final

from analysis.catalogue.shards import TOTAL_SHARDS, share_to_shards
from analysis.errors import Problem
from assignment_exports.eligibility import inline_segments
from assignment_exports.errors import ExportError
from assignment_exports.flags import OFF, ON, overrides_of, rollout_salt, value_of, whom_serves
from assignment_exports.rules import MAX_RULES, SUBJECT, rules_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from analysis.catalogue import Flag
    from analysis.catalogue.conditions import Condition
    from analysis.catalogue.flags import Dependency

Json = dict[str, Any]
_TYPES: Final = {"boolean": "BOOLEAN", "string": "STRING", "number": "NUMERIC", "json": "JSON"}


@dataclass(frozen=True, slots=True)
class _Gate:
    """One way in: conditions and shards that must all hold."""

    conditions: tuple[Json, ...]
    shards: tuple[Json, ...]

    def __and__(self, other: _Gate) -> _Gate:
        """Both; what they share, as flags that depend on the same one do, is said once."""
        conditions = [condition for condition in other.conditions if condition not in self.conditions]
        shards = [shard for shard in other.shards if shard not in self.shards]
        return _Gate((*self.conditions, *conditions), (*self.shards, *shards))


def ufc_flag(
    flag: Flag, flags: Mapping[str, Flag], segments: Mapping[str, Condition], prefix: str = ""
) -> dict[str, Json]:
    """The UFC flag of a feature flag, by key.

    Args:
        flag: A checked flag.
        flags: All checked flags, for dependencies.
        segments: Conditions of the named segments.
        prefix: Put before the key.

    Raises:
        ExportError: UFC cannot express the targeting or a dependency.
    """
    key = prefix + flag.id
    values = {ON: value_of(flag), OFF: flag.default}
    allocations = []
    for name, value, units in overrides_of(flag):
        values[name] = value
        allocations.append(_allocation(f"{key}-{name}", name, _Gate((_named(units),), ())))
    for number, gate in enumerate(_rollout(flag, flags, segments)):
        allocations.append(_allocation(f"{key}-{ON}-{number}", ON, gate))
    allocations.append(_allocation(f"{key}-{OFF}", OFF, _Gate((), ())))
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


def _rollout(flag: Flag, flags: Mapping[str, Flag], segments: Mapping[str, Condition]) -> list[_Gate]:
    if not flag.enabled:
        return []
    ways = [_Gate((), (_shards(flag, 0, share_to_shards(flag.rollout)),))]
    if flag.targeting is not None:
        rules = rules_of(inline_segments(flag.targeting, segments))
        ways = _every([ways, [_Gate(tuple(rule["conditions"]), ()) for rule in rules]], flag)
    return _every([ways, *(_serving(need, flag, flags, segments) for need in flag.depends_on)], flag)


def _serving(
    need: Dependency, flag: Flag, flags: Mapping[str, Flag], segments: Mapping[str, Condition]
) -> list[_Gate]:
    """The ways in which another flag serves the wanted value."""
    other = flags[need.flag]
    named, others = whom_serves(need, flag, flags)
    unnamed = _Gate((_named(sorted(other.overrides), "NOT_ONE_OF"),) if other.overrides else (), ())
    ways = [_Gate((_named(named),), ())] if named else []
    if others == "always":
        ways.append(unnamed)
    elif others == "inside":
        ways += [unnamed & gate for gate in _rollout(other, flags, segments)]
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
        ways.append(unnamed & _Gate((), (_shards(other, share_to_shards(other.rollout), TOTAL_SHARDS),)))
    return ways


def _every(parts: list[list[_Gate]], flag: Flag) -> list[_Gate]:
    count = prod(len(part) for part in parts)
    if count > MAX_RULES:
        raise ExportError(
            Problem(
                "the flag is too intricate for UFC",
                where=flag.id,
                value=f"{count} allocations once multiplied out",
                rule=f"at most {MAX_RULES}",
                hint="compute the condition as one attribute in the warehouse and target that attribute",
            )
        )
    result = []
    for choice in product(*parts):
        gate = _Gate((), ())
        for step in choice:
            gate &= step
        result.append(gate)
    return result


def _named(units: list[str], operator: str = "ONE_OF") -> Json:
    return {"attribute": SUBJECT, "operator": operator, "value": units}


def _shards(flag: Flag, begin: int, end: int) -> Json:
    return {"salt": rollout_salt(flag), "ranges": [{"start": begin, "end": end}]}


def _allocation(key: str, variation: str, gate: _Gate) -> Json:
    return {
        "key": key,
        "startAt": None,
        "endAt": None,
        "rules": [{"conditions": list(gate.conditions)}] if gate.conditions else [],
        "splits": [{"variationKey": variation, "shards": list(gate.shards), "extraLogging": {}}],
        "doLog": False,
    }


def _wire(flag: Flag, value: Any) -> Any:
    return json.dumps(value, sort_keys=True, ensure_ascii=False) if flag.type == "json" else value
