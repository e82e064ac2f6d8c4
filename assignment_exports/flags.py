"""Feature flags as UFC flags: overrides first, then the rollout, then the default.

A dependency is compiled into the rollout: the conditions and shards under which the other flag serves the wanted
value. The subject key of an SDK call is the attribute ``id`` of its rules, which is how overrides name units.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, Final

from analysis.catalogue.conditions import evaluate
from analysis.catalogue.shards import TOTAL_SHARDS, shard, share_to_shards
from analysis.errors import Problem
from assignment_exports.eligibility import inline_segments
from assignment_exports.errors import ExportError
from assignment_exports.rules import MAX_RULES, rules_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from analysis.catalogue import Flag
    from analysis.catalogue.conditions import Condition
    from analysis.catalogue.flags import Dependency

    Json = dict[str, Any]

_TYPES: Final = {"boolean": "BOOLEAN", "string": "STRING", "number": "NUMERIC", "json": "JSON"}
_ON, _OFF = "on", "off"


@dataclass(frozen=True, slots=True)
class _Gate:
    """One way in: conditions and shards that must all hold."""

    conditions: tuple[Json, ...]
    shards: tuple[Json, ...]

    def __and__(self, other: _Gate) -> _Gate:
        return _Gate(self.conditions + other.conditions, self.shards + other.shards)


def compile_flag(
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
    values = {_ON: value_of(flag), _OFF: flag.default}
    allocations = []
    for number, (value, units) in enumerate(_overrides(flag)):
        name = f"override-{number}"
        values[name] = value
        condition = {"attribute": "id", "operator": "ONE_OF", "value": units}
        allocations.append(_allocation(f"{key}-{name}", name, [condition], []))
    for number, gate in enumerate(_rollout(flag, flags, segments)):
        allocations.append(
            _allocation(f"{key}-{_ON}-{number}", _ON, list(gate.conditions), list(gate.shards))
        )
    allocations.append(_allocation(f"{key}-{_OFF}", _OFF, [], []))
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


def describe_flag(flag: Flag) -> Json:
    """What a flag does, as plain values that can be compared and read."""
    targeting = flag.targeting
    return {
        "enabled": flag.enabled,
        "type": flag.type,
        "default": flag.default,
        "value": value_of(flag),
        "traffic": flag.rollout,
        "targeting": None
        if targeting is None
        else targeting.model_dump(mode="json", by_alias=True, exclude_none=True),
        "depends_on": [need.model_dump(mode="json") for need in flag.depends_on],
        "overrides": dict(flag.overrides),
    }


def serve(
    flag: Flag,
    flags: Mapping[str, Flag],
    unit: str,
    attributes: Mapping[str, Any],
    segments: Mapping[str, Condition],
) -> Any:
    """The value that one unit gets.

    Args:
        flag: A checked flag.
        flags: All checked flags, for dependencies.
        unit: The unit's id.
        attributes: Its attributes.
        segments: Conditions of the named segments.
    """
    if unit in flag.overrides:
        return flag.overrides[unit]
    inside = (
        flag.enabled
        and all(
            _same(serve(flags[need.flag], flags, unit, attributes, segments), need.value)
            for need in flag.depends_on
        )
        and evaluate(flag.targeting, attributes, segments) is True
        and shard(_salt(flag), unit) < share_to_shards(flag.rollout)
    )
    return value_of(flag) if inside else flag.default


def value_of(flag: Flag) -> Any:
    """What the flag serves inside its rollout: a boolean flag without a value turns its default round."""
    if flag.value is None:
        return not flag.default if flag.type == "boolean" else flag.default
    return flag.value


def _salt(flag: Flag) -> str:
    return f"{flag.id}-rollout"


def _same(one: Any, other: Any) -> bool:
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _overrides(flag: Flag) -> list[tuple[Any, list[str]]]:
    groups: dict[str, tuple[Any, list[str]]] = {}
    for unit, value in sorted(flag.overrides.items()):
        groups.setdefault(json.dumps(value, sort_keys=True), (value, []))[1].append(unit)
    return list(groups.values())


def _rollout(flag: Flag, flags: Mapping[str, Flag], segments: Mapping[str, Condition]) -> list[_Gate]:
    if not flag.enabled:
        return []
    rollout = _shards(_salt(flag), 0, share_to_shards(flag.rollout))
    ways = [_Gate((), (rollout,))]
    if flag.targeting is not None:
        rules = rules_of(inline_segments(flag.targeting, segments))
        ways = _every([ways, [_Gate(tuple(rule["conditions"]), ()) for rule in rules]], flag)
    needs = [_serving(need, flag, flags, segments) for need in flag.depends_on]
    return _every([ways, *needs], flag)


def _serving(
    need: Dependency, flag: Flag, flags: Mapping[str, Flag], segments: Mapping[str, Condition]
) -> list[_Gate]:
    """The ways in which another flag serves the wanted value."""
    other = flags[need.flag]
    ways: list[_Gate] = []
    known = list(other.overrides)
    named = [unit for unit, value in sorted(other.overrides.items()) if _same(value, need.value)]
    if named:
        ways.append(_Gate(({"attribute": "id", "operator": "ONE_OF", "value": named},), ()))
    unnamed = ({"attribute": "id", "operator": "NOT_ONE_OF", "value": sorted(known)},) if known else ()
    by_value, by_default = _same(value_of(other), need.value), _same(other.default, need.value)
    if by_default and (by_value or not other.enabled):
        ways.append(_Gate(unnamed, ()))
    elif by_value:
        ways += [_Gate(unnamed, ()) & gate for gate in _rollout(other, flags, segments)]
    elif by_default and other.targeting is None and not other.depends_on:
        outside = _shards(_salt(other), share_to_shards(other.rollout), TOTAL_SHARDS)
        ways.append(_Gate(unnamed, (outside,)))
    elif by_default:
        raise ExportError(
            Problem(
                "UFC cannot wait for the default of a flag that is targeted or depends on others",
                where=flag.id,
                value=f"depends on {other.id} = {json.dumps(need.value)}",
                rule="depend on the value that the rollout serves",
                hint="turn the other flag's default and value round",
            )
        )
    if not ways:
        raise ExportError(
            Problem(
                "the dependency can never be met",
                where=flag.id,
                value=f"{other.id} = {json.dumps(need.value)}",
                rule=f"a value that {other.id} serves: {json.dumps(value_of(other))}, {json.dumps(other.default)}",
            )
        )
    return ways


def _every(parts: list[list[_Gate]], flag: Flag) -> list[_Gate]:
    count = 1
    for part in parts:
        count *= len(part)
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


def _shards(salt: str, begin: int, end: int) -> Json:
    return {"salt": salt, "ranges": [{"start": begin, "end": end}]}


def _allocation(key: str, variation: str, conditions: list[Json], shards: list[Json]) -> Json:
    return {
        "key": key,
        "startAt": None,
        "endAt": None,
        "rules": [{"conditions": conditions}] if conditions else [],
        "splits": [{"variationKey": variation, "shards": shards, "extraLogging": {}}],
        "doLog": False,
    }


def _wire(flag: Flag, value: Any) -> Any:
    return json.dumps(value, sort_keys=True, ensure_ascii=False) if flag.type == "json" else value
