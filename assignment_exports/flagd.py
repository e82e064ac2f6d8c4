"""OpenFeature flagd: flags whose targeting is JSON logic, evaluated in-process from one file.

Format: https://flagd.dev/reference/flag-definitions/ and its schema https://flagd.dev/schema/v0/flags.json. Traffic,
layer and split are ``fractional`` operations over 10,000 shards, each by its own salt; dates compare with
``$flagd.timestamp``. A unit that gets no variant gets the caller's default.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fairsplit.analysis.catalogue.shards import TOTAL_SHARDS
from fairsplit.assignment_exports.allocation import LIVE, both, label
from fairsplit.assignment_exports.lowering import forms, lower, plain_attribute, refuse_pattern
from fairsplit.assignment_exports.rules import three_parts
from fairsplit.assignment_exports.ufc import flag_keys, seconds, timestamp

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from fairsplit.analysis.catalogue.conditions import Condition, Scalar
    from fairsplit.assignment_exports.allocation import Allocation, AllocationBand, AllocationPhase, Gate

Logic = Any
FLAGD: Final = "flagd.json"
_SCHEMA: Final = "https://flagd.dev/schema/v0/flags.json"
_CLOCK: Final = {"var": "$flagd.timestamp"}
UNIT: Final = {"var": "targetingKey"}
NOBODY: Final = {"!": [UNIT]}
"""No targeting key, or an empty one: there is no unit, so nothing is rolled out and no arm drawn."""
_INSIDE, _OUTSIDE = "in", "out"
_COMPARE: Final = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


def flagd_flags(allocation: Allocation, as_of: datetime, prefix: str = "") -> dict[str, dict[str, Any]]:
    """The two flags of one experiment; none for an experiment that is not live.

    Args:
        allocation: The experiment's allocation.
        as_of: The cut-off instant of the export, naive UTC: phases that ended by then are left out.
        prefix: Put before both keys.

    Returns:
        Flags by key: the variant's name, and its config.

    Raises:
        ExportError: The targeting says what flagd cannot express.
    """
    if allocation.status not in LIVE:
        return {}
    variant_key, config_key = flag_keys(allocation.experiment_id, prefix)
    common = {
        "state": "DISABLED" if allocation.status == "paused" and not allocation.overrides else "ENABLED",
        "defaultVariant": None,
        "targeting": _targeting(allocation, as_of),
        # A flag's metadata holds plain values alone: a label for each variant that an evaluation may name.
        "metadata": {
            "experiment": allocation.experiment_id,
            **{f"label.{name}": label(allocation.experiment_id, name) for name in allocation.configs},
        },
    }
    return {
        variant_key: {"variants": {name: name for name in allocation.configs}, **common},
        config_key: {
            "variants": {name: dict(config) for name, config in allocation.configs.items()},
            **common,
        },
    }


def flagd_payload(flags: Mapping[str, Any], as_of: datetime) -> dict[str, Any]:
    """The whole file around the flags."""
    return {
        "$schema": _SCHEMA,
        "flags": dict(flags),
        "metadata": {"cutOff": timestamp(as_of), "hash": "murmur3-32 of the CBOR text, 10000 shards"},
    }


def flagd_condition(condition: Condition) -> Logic:
    """A condition without named segments as JSON logic.

    Raises:
        ExportError: flagd cannot express a test.
    """
    return lower(condition, _test, lambda parts: {"and": parts}, lambda parts: {"or": parts})


def _targeting(allocation: Allocation, as_of: datetime) -> Logic:
    """One long ``if`` of conditions and what they serve: no key, the overrides, stretch by stretch, then nothing."""
    overrides: list[Logic] = [NOBODY, None]
    for variant, units in allocation.overridden.items():
        overrides += [{"in": [{"var": "targetingKey"}, units]}, variant]
    if allocation.overridden and allocation.status == "paused":
        return {"if": [*overrides, None]}
    after = allocation.fallback
    if allocation.status == "completed" or (allocation.end is not None and allocation.end <= as_of):
        # A bare variant name is no object; a condition wraps it, even where it always holds.
        return {"if": [*overrides, _passed(allocation.holdout_gates), after, None]}
    steps = overrides
    for phase in allocation.phases:
        for start, end, condition in allocation.stretches(phase, as_of):
            if end is not None and end <= as_of:
                continue
            for band in phase.bands:
                gates = [
                    *in_time(start, end, both(condition, band.when)),
                    *(within(*gate) for gate in allocation.gates(phase, band)),
                ]
                steps += [{"and": gates}, _split(phase, band)]
    if allocation.end is not None:
        over = {">=": [_CLOCK, seconds(allocation.end)]}
        steps += [{"and": [over, _passed(allocation.holdout_gates)]}, after]
    return {"if": [*steps, None]}


def in_time(start: datetime, end: datetime | None, condition: Condition | None) -> list[Logic]:
    """What must hold: the instant lies in ``[start, end)``, and the condition, if any."""
    gates: list[Logic] = [{">=": [_CLOCK, seconds(start)]}]
    if end is not None:
        gates.append(before(end))
    if condition is not None:
        gates.append(flagd_condition(condition))
    return gates


def before(end: datetime) -> Logic:
    """Whether it is before a naive UTC instant."""
    return {"<": [_CLOCK, seconds(end)]}


def _passed(gates: list[Gate]) -> Logic:
    return {"and": [within(*gate) for gate in gates]} if gates else True


def _split(phase: AllocationPhase, band: AllocationBand) -> Logic:
    arms = [[variant, end - begin] for variant, (begin, end) in band.ranges.items() if begin < end]
    return {"fractional": [_bucket(phase.split_salt), *arms]}


def within(salt: str, begin: int, end: int) -> Logic:
    """Whether a unit's shard lies in the half-open range."""
    parts = [[_OUTSIDE, begin], [_INSIDE, end - begin], [_OUTSIDE, TOTAL_SHARDS - end]]
    return {"===": [{"fractional": [_bucket(salt), *(part for part in parts if part[1])]}, _INSIDE]}


def _bucket(salt: str) -> Logic:
    return {"cat": [f"{salt}-", UNIT]}


def _test(attribute: str, operator: str, operand: Any) -> Logic:
    value = {"var": plain_attribute(attribute, "flagd", ("targetingKey",))}
    if operator == "is_null":
        return {"===" if operand else "!==": [value, None]}
    present = {"!==": [value, None]}
    if operator in {"in", "equals"}:
        return {"or": [_same(value, item) for item in forms(operand)]}
    if operator in {"not_in", "not_equals"}:
        return {"and": [present, {"!": {"or": [_same(value, item) for item in forms(operand)]}}]}
    if operator in _COMPARE:
        # Only a number equals itself after a cast; in some languages a boolean does so too.
        boolean = {"or": [_same(value, True), _same(value, False)]}
        number = {"===": [value, {"+": [value]}]}
        return {"and": [present, {"!": boolean}, number, {_COMPARE[operator]: [value, operand]}]}
    if operator.startswith("semver_"):
        sign = _COMPARE[operator.removeprefix("semver_")]
        # The evaluators overlook a leading v; that they complete 2.1 too cannot be told them otherwise.
        plain = {"!": {"or": [{"starts_with": [value, letter]} for letter in ("v", "V")]}}
        return {"and": [present, plain, {"sem_ver": [value, sign, three_parts(operand)]}]}
    return refuse_pattern(attribute, operand, "flagd")


def _same(value: Logic, item: Scalar) -> Logic:
    """Strict equality in every language: in Python's evaluator true "strictly" equals 1, and writes as ``True``."""
    equal = {"===": [value, item]}
    if isinstance(item, str) or item not in {0, 1}:
        return equal
    digit = {"===": [{"cat": [value]}, str(int(item))]}
    return {"and": [equal, {"!": digit} if isinstance(item, bool) else digit]}
