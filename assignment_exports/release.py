"""One release: the payloads of a new version, and what changed since the last one, in words.

An experiment whose validity gate is closed, whose definition is broken or whose targeting the payload cannot
express keeps its last good config. Where none was ever published, a closed gate freezes the phase in force, which
is what the units were seen under: serving nothing would change the allocation too. Where not even that can be
compiled, the experiment is withheld. Nothing of that touches the others.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from fairsplit.analysis.catalogue.shards import TOTAL_SHARDS
from fairsplit.assignment_exports.allocation import LIVE
from fairsplit.assignment_exports.errors import ExportError
from fairsplit.assignment_exports.families import FAMILIES, published_flags
from fairsplit.assignment_exports.publishing import canonical_json
from fairsplit.assignment_exports.ufc import flag_keys, timestamp

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    import polars as pl

    from fairsplit.analysis.catalogue.hashes import Sdk
    from fairsplit.assignment_exports.allocation import Allocation, AllocationPhase
    from fairsplit.assignment_exports.publishing import PublishedVersion

_KEPT: Final = "the last good config stays in force"
_FROZEN: Final = "the phase in force goes on as it is, without later phases, until the gate opens"
_WITHHELD: Final = "no config was ever good: none is served"
Json = dict[str, Any]
Flags = dict[tuple["Sdk", str], Json]


@dataclass(frozen=True, slots=True)
class Release:
    """What `publish` takes.

    Attributes:
        payloads: Bytes by relative path.
        meta: The manifest's part that this room writes: cut-off, and per experiment change, reason and diff.
    """

    payloads: Mapping[str, bytes]
    meta: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Feature:
    """A feature flag ready to be exported, or why it is not.

    Attributes:
        compiled: The flag by family and key; empty with a reason.
        description: What it does, as plain values; empty with a reason.
        reason: Why the last good config must stay; empty when it need not.
    """

    compiled: Mapping[tuple[Sdk, str], Json]
    description: Json
    reason: str = ""


def build_release(
    allocations: Iterable[Allocation],
    as_of: datetime,
    *,
    held: Mapping[str, str] | None = None,
    previous: PublishedVersion | None = None,
    frames: Mapping[str, pl.DataFrame] | None = None,
    subjects: Mapping[str, pl.DataFrame] | None = None,
    prefix: str = "",
    features: Mapping[str, Feature] | None = None,
) -> Release:
    """Compile every experiment and say what changed.

    Args:
        allocations: The experiments of the catalogue.
        as_of: The cut-off instant, naive UTC.
        held: Experiments whose config must not change, with the reason in words: a closed validity gate or a
            broken definition. Stopping is never held back: a paused, completed or cancelled experiment takes
            traffic away, which a closed gate must not prevent.
        previous: The version in force; last good configs come from it.
        frames: Tables to export as Parquet, by name without suffix (``results``, ``assignments/cta``).
        subjects: Subject attributes by kind of unit, one row a unit: exported as ``segments/<kind>.parquet``, and as
            JSON lines for a caller that looks a unit up and passes its line to the SDK.
        prefix: The project's prefix of exported flag keys.
        features: Feature flags by id.

    Returns:
        The payloads and the manifest's entries.
    """
    held = held or {}
    before = _entries(previous)
    before_flags: Flags = {} if previous is None else published_flags(previous.path)
    entries: dict[str, Json] = {}
    flags: Flags = {}
    wanted = {allocation.experiment_id: allocation for allocation in allocations}
    for name in sorted(wanted.keys() | held.keys()):
        keys = flag_keys(name, prefix)
        kept = {place: flag for place, flag in before_flags.items() if place[1] in keys}
        decided, entry = _decide(wanted.get(name), held.get(name, ""), as_of, prefix, kept, before.get(name))
        flags |= decided
        if entry is not None:
            entries[name] = entry
    entries |= _removed(before, entries, "it is no longer running, paused or completed in the catalogue")
    features_before = _entries(previous, "flags")
    feature_entries: dict[str, Json] = {}
    for name, feature in (features or {}).items():
        kept = {place: flag for place, flag in before_flags.items() if place[1] == prefix + name}
        flags |= kept if feature.reason else feature.compiled
        feature_entries[name] = _feature_entry(feature, kept, features_before.get(name))
    feature_entries |= _removed(features_before, feature_entries, "it is no longer in the catalogue")
    payloads = {
        family.file: canonical_json(
            family.assemble(
                {key: flag for (served_by, key), flag in flags.items() if served_by == sdk}, as_of
            )
        )
        for sdk, family in FAMILIES.items()
    }
    payloads |= {f"{name}.parquet": parquet_bytes(frame) for name, frame in (frames or {}).items()}
    for kind, frame in (subjects or {}).items():
        payloads[f"segments/{kind}.parquet"] = parquet_bytes(frame)
        payloads[f"segments/{kind}.jsonl"] = frame.write_ndjson().encode()
    return Release(payloads, {"cut_off": timestamp(as_of), "experiments": entries, "flags": feature_entries})


def describe(allocation: Allocation, as_of: datetime) -> Json:
    """What an experiment's config does, as plain values that can be compared and read."""
    phase = allocation.phase_at(as_of)
    layer = allocation.layer
    return {
        "status": allocation.status,
        "sdk": allocation.sdk,
        "state": allocation.state_at(as_of),
        "traffic": phase.traffic_shards / TOTAL_SHARDS,
        "weights": {name: (end - begin) / TOTAL_SHARDS for name, (begin, end) in phase.ranges.items()},
        "sticky bands": [
            {
                "from": band.begin,
                "to": band.end,
                "ranges": {name: list(held) for name, held in band.ranges.items()},
            }
            for band in phase.sticky
        ],
        **({"leaves": _leaves(phase)} if phase.leaves else {}),
        "salts": [phase.traffic_salt, phase.split_salt],
        "layer": None
        if layer is None
        else {"id": layer.layer, "from": layer.begin / TOTAL_SHARDS, "to": layer.end / TOTAL_SHARDS},
        "targeting": None
        if allocation.targeting is None
        else allocation.targeting.model_dump(mode="json", by_alias=True, exclude_none=True),
        "holdouts": {item.holdout: item.shards / TOTAL_SHARDS for item in allocation.holdouts},
        "overrides": dict(allocation.overrides),
        "configs": {variant: dict(config) for variant, config in allocation.configs.items()},
        "after": allocation.fallback,
        "end": None if allocation.end is None else timestamp(allocation.end),
    }


def _leaves(phase: AllocationPhase) -> list[Json]:
    return [
        {
            "when": leaf.when and leaf.when.model_dump(mode="json", by_alias=True, exclude_none=True),
            "weights": {name: leaf.probability(name) for name in leaf.ranges},
        }
        for leaf in phase.leaves
    ]


def differences(before: Json, after: Json) -> list[str]:
    """What changed between two descriptions, one sentence fragment each.

    >>> differences({"traffic": 0.1, "weights": {"a": 1.0}}, {"traffic": 0.5, "weights": {"a": 1.0}})
    ['traffic 10 % -> 50 %']
    """
    lines = []
    for field in sorted(before.keys() | after.keys()):
        old, new = before.get(field), after.get(field)
        if old == new:
            continue
        if isinstance(old, dict) and isinstance(new, dict) and field in {"weights", "configs"}:
            lines += [
                _change(f"{field.removesuffix('s')} of {part}", field, old.get(part), new.get(part))
                for part in sorted(old.keys() | new.keys())
                if old.get(part) != new.get(part)
            ]
        else:
            lines.append(_change(field, field, old, new))
    return lines


def parquet_bytes(frame: pl.DataFrame) -> bytes:
    """A frame as one Parquet file; equal frames give equal bytes."""
    buffer = io.BytesIO()
    frame.write_parquet(buffer, compression="zstd", statistics=True)
    return buffer.getvalue()


def _change(what: str, field: str, old: Any, new: Any) -> str:
    return f"{what} {_words(field, old)} -> {_words(field, new)}"


def _words(field: str, value: Any) -> str:
    if value is None:
        return "none"
    if field in {"traffic", "weights"}:
        return f"{100 * value:.10g} %"
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)


def _entry(description: Json, before: Json | None) -> Json:
    known = before["allocation"] if before is not None else None
    if known is None:
        return {"change": "added", "reason": "first config", "diff": [], "allocation": description}
    diff = differences(known, description)
    return {
        "change": "changed" if diff else "unchanged",
        "reason": "the definition or its dates changed" if diff else "",
        "diff": diff,
        "allocation": description,
    }


def _decide(
    allocation: Allocation | None,
    reason: str,
    as_of: datetime,
    prefix: str,
    kept: Flags,
    before: Json | None,
) -> tuple[Flags, Json | None]:
    """The flags of one experiment and its entry in the manifest."""
    if allocation is not None and allocation.status != "running":
        reason = ""
    if allocation is not None and not (reason and kept):
        in_force = allocation.frozen_at(as_of) if reason else allocation
        try:
            compiled = FAMILIES[allocation.sdk].compile(in_force, as_of, prefix)
        except ExportError as error:
            reason = str(error)
        else:
            flags: Flags = {(allocation.sdk, key): flag for key, flag in compiled.items()}
            if allocation.status not in LIVE:
                return flags, None
            entry = _entry(describe(in_force, as_of), before)
            return flags, entry if not reason else entry | {
                "change": "frozen",
                "reason": reason,
                "diff": [_FROZEN],
            }
    return kept, _held(reason, kept, before)


def _feature_entry(feature: Feature, kept: Flags, before: Json | None) -> Json:
    return _held(feature.reason, kept, before) if feature.reason else _entry(feature.description, before)


def _held(reason: str, kept: Flags, before: Json | None) -> Json:
    return {
        "change": "kept" if kept else "withheld",
        "reason": reason,
        "diff": [_KEPT if kept else _WITHHELD],
        "allocation": before["allocation"] if before is not None and kept else None,
    }


def _removed(before: Mapping[str, Json], now: Mapping[str, Json], reason: str) -> dict[str, Json]:
    return {
        name: {
            "change": "removed",
            "reason": reason,
            "diff": ["its flags are no longer served: the caller's default applies"],
            "allocation": None,
        }
        for name in sorted(before.keys() - now.keys())
        if before[name]["allocation"] is not None
    }


def _entries(previous: PublishedVersion | None, part: str = "experiments") -> dict[str, Json]:
    return {} if previous is None else dict(previous.manifest.get(part, {}))
