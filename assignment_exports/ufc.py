"""The universal flag configuration (UFC): the payload that Eppo's SDKs evaluate in-process.

Format (https://github.com/Eppo-exp/sdk-test-data): a flag holds allocations, tried in order. An allocation
applies inside ``[startAt, endAt)`` when it has no rules or at least one rule whose conditions all hold; then
the first split serves whose shards all hold, a shard holding when ``md5("{salt}-{subject}")`` falls in one of
its half-open ranges.

One STRING flag an experiment (key = experiment id, value = variant id), and a JSON flag ``<id>__config`` with
the same allocations that serves the variant's config.
"""

from __future__ import annotations

import json
import math
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from fairsplit.analysis.catalogue.shards import TOTAL_SHARDS
from fairsplit.assignment_exports.allocation import LIVE, both, label
from fairsplit.assignment_exports.rules import IS_UNIT, rules_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fairsplit.analysis.catalogue.conditions import Condition
    from fairsplit.assignment_exports.allocation import Allocation, AllocationBand, AllocationPhase

CONFIG_SUFFIX: Final = "__config"
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - instants are naive UTC in this project


def compile_flags(allocation: Allocation, as_of: datetime, prefix: str = "") -> dict[str, dict[str, Any]]:
    """The two flags of one experiment; none for an experiment that is not live.

    Phases that ended by ``as_of`` are left out, those to come are included with their dates, so that a config
    that nobody renews still ramps and ends on time. A paused experiment's flag is disabled; after the end, or
    when completed, everybody gets the shipped variant, else control. Overrides come first and are not logged; with
    them a paused experiment's flag stays enabled and serves nobody else.

    Args:
        allocation: The experiment's allocation.
        as_of: The cut-off instant of the export, naive UTC.
        prefix: Put before both keys, so that several projects share one SDK environment.

    Returns:
        Flags by key.

    Raises:
        ExportError: The targeting says what UFC cannot express.
    """
    if allocation.status not in LIVE:
        return {}
    variant_key, config_key = flag_keys(allocation.experiment_id, prefix)
    common = {
        "enabled": allocation.status != "paused" or bool(allocation.overrides),
        "totalShards": TOTAL_SHARDS,
        "allocations": _allocations(allocation, as_of),
    }
    values = {variant: variant for variant in allocation.configs}
    configs = {
        variant: json.dumps(config, sort_keys=True, ensure_ascii=False, allow_nan=False)
        for variant, config in allocation.configs.items()
    }
    return {
        name: {"key": name, "variationType": kind, "variations": _variations(served), **common}
        for name, kind, served in ((variant_key, "STRING", values), (config_key, "JSON", configs))
    }


def assemble(flags: Mapping[str, Mapping[str, Any]], as_of: datetime) -> dict[str, Any]:
    """The whole configuration around the flags.

    Args:
        flags: By key.
        as_of: Shown as ``createdAt``.
    """
    return {
        "createdAt": timestamp(as_of),
        "format": "SERVER",
        "environment": {"name": "fairsplit"},
        "flags": dict(flags),
        "bandits": {},
    }


def timestamp(instant: datetime) -> str:
    """A naive UTC instant as the SDKs read it."""
    return instant.isoformat(timespec="milliseconds") + "Z"


def seconds(instant: datetime) -> int:
    """A naive UTC instant in whole seconds since 1970; a fraction counts as begun only when it is over."""
    return math.ceil((instant - _EPOCH).total_seconds())


def _variations(served: Mapping[str, str]) -> dict[str, dict[str, str]]:
    return {variant: {"key": variant, "value": value} for variant, value in served.items()}


def _allocations(allocation: Allocation, as_of: datetime) -> list[dict[str, Any]]:
    over = allocation.status == "completed"
    overrides = [_override(allocation, variant, units) for variant, units in allocation.overridden.items()]
    if overrides and allocation.status == "paused":
        return overrides
    compiled: list[dict[str, Any]] = [
        {
            "key": f"{allocation.experiment_id}-phase-{number}-{stretch}{leaf}",
            "startAt": timestamp(start),
            "endAt": None if end is None else timestamp(end),
            "rules": _rules(both(condition, when)),
            "splits": _splits(allocation, phase, bands),
            "doLog": True,
        }
        for number, phase in enumerate(allocation.phases)
        for stretch, (start, end, condition) in enumerate(allocation.stretches(phase, as_of), start=1)
        if not over and (end is None or end > as_of)
        for leaf, when, bands in _by_condition(phase)
    ]
    if over or allocation.end is not None:
        after = {
            "key": f"{allocation.experiment_id}-after",
            "startAt": None if over or allocation.end is None else timestamp(allocation.end),
            "endAt": None,
            "rules": _rules(None),
            "splits": [
                {
                    "variationKey": allocation.fallback,
                    "shards": [_shard(*gate) for gate in allocation.holdout_gates],
                    "extraLogging": {},
                }
            ],
            "doLog": False,
        }
        compiled.append(after)
    return overrides + compiled


def _by_condition(
    phase: AllocationPhase,
) -> Iterator[tuple[str, Condition | None, Sequence[AllocationBand]]]:
    """An allocation has one condition: each leaf its own, and then one for whoever is in none."""
    for number, leaf in enumerate(phase.leaves, start=1):
        yield f"-leaf-{number}", leaf.when, [leaf]
    yield "", None, phase.bands[len(phase.leaves) :]


def _rules(condition: Condition | None) -> list[dict[str, Any]]:
    rules = [{"conditions": []}] if condition is None else rules_of(condition)
    return [{"conditions": [*rule["conditions"], IS_UNIT]} for rule in rules]


def _override(allocation: Allocation, variant: str, units: list[str]) -> dict[str, Any]:
    """The subject key of an SDK call is the attribute ``id`` of its rules, which is how an override names units."""
    return {
        "key": f"{allocation.experiment_id}-override-{variant}",
        "startAt": None,
        "endAt": None,
        "rules": [{"conditions": [{"attribute": "id", "operator": "ONE_OF", "value": units}]}],
        "splits": [{"variationKey": variant, "shards": [], "extraLogging": {}}],
        "doLog": False,
    }


def _splits(
    allocation: Allocation, phase: AllocationPhase, bands: Sequence[AllocationBand]
) -> list[dict[str, Any]]:
    return [
        {
            "variationKey": variant,
            "shards": [
                *(_shard(*gate) for gate in allocation.gates(phase, band)),
                _shard(phase.split_salt, begin, end),
            ],
            "extraLogging": {"label": label(allocation.experiment_id, variant)},
        }
        for band in bands
        for variant, (begin, end) in band.ranges.items()
        if begin < end
    ]


def _shard(salt: str, begin: int, end: int) -> dict[str, Any]:
    return {"salt": salt, "ranges": [{"start": begin, "end": end}]}


def flag_keys(experiment: str, prefix: str = "") -> tuple[str, str]:
    """The keys of an experiment's two flags: the variant's and the config's."""
    return prefix + experiment, prefix + experiment + CONFIG_SUFFIX
