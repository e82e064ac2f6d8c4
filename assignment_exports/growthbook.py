"""GrowthBook: features whose experiment rules carry explicit bucket ranges.

Format: https://docs.growthbook.io/lib/build-your-own. The payload is what an SDK takes as ``features``. Traffic and
layer are filters, the split is the rule's ranges, all over 10,000 buckets of hash version 2. A unit that gets no
variant gets null. The SDKs know no date, so the phase in force is exported, and a definition that must change by
itself at a later instant is refused.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from fairsplit.analysis.catalogue.shards import TOTAL_SHARDS
from fairsplit.analysis.errors import Problem
from fairsplit.assignment_exports.allocation import LIVE, both, label
from fairsplit.assignment_exports.errors import ExportError
from fairsplit.assignment_exports.lowering import forms, lower, plain_attribute, refuse_pattern
from fairsplit.assignment_exports.rules import three_parts
from fairsplit.assignment_exports.ufc import flag_keys, timestamp

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from fairsplit.analysis.catalogue.conditions import Condition
    from fairsplit.assignment_exports.allocation import Allocation, AllocationBand, AllocationPhase, Gate

Json = dict[str, Any]
GROWTHBOOK: Final = "growthbook.json"
HASH_VERSION: Final = 2
UNIT: Final = "id"
# The SDKs compare versions as texts with each number padded to five places.
_NUMBER: Final = "(0|[1-9][0-9]{0,4})"
_LABEL: Final = f"({_NUMBER}|[0-9]*[A-Za-z][0-9A-Za-z]*)"
_VERSION: Final = (
    rf"^{_NUMBER}[.]{_NUMBER}[.]{_NUMBER}(-{_LABEL}([.]{_LABEL})*)?([+][0-9A-Za-z-]+([.][0-9A-Za-z-]+)*)?$"
)


def growthbook_features(allocation: Allocation, as_of: datetime, prefix: str = "") -> dict[str, Json]:
    """The two features of one experiment; none for an experiment that is not live.

    Args:
        allocation: The experiment's allocation.
        as_of: The cut-off instant of the export, naive UTC.
        prefix: Put before both keys.

    Returns:
        Features by key: the variant's name, and its config.

    Raises:
        ExportError: The targeting or a date to come says what GrowthBook's SDKs cannot express.
    """
    if allocation.status not in LIVE:
        return {}
    _refuse_dates(allocation, as_of)
    variant_key, config_key = flag_keys(allocation.experiment_id, prefix)
    names = {name: name for name in allocation.configs}
    configs = {name: dict(config) for name, config in allocation.configs.items()}
    return {
        key: {
            "defaultValue": None,
            "rules": [*_overrides(allocation, values), *_rules(allocation, as_of, values)],
        }
        for key, values in ((variant_key, names), (config_key, configs))
    }


def growthbook_payload(features: Mapping[str, Any], as_of: datetime) -> Json:
    """The whole file around the features, as GrowthBook's own endpoint serves it."""
    return {"status": 200, "dateUpdated": timestamp(as_of), "features": dict(features)}


def growthbook_condition(condition: Condition) -> Json:
    """A condition without named segments in GrowthBook's syntax.

    Raises:
        ExportError: GrowthBook cannot express a test.
    """
    return lower(condition, _test, lambda parts: {"$and": parts}, lambda parts: {"$or": parts})


def growthbook_filter(salt: str, begin: int, end: int) -> Json:
    """A rule's filter that lets in the units whose shard lies in the half-open range."""
    return {
        "attribute": UNIT,
        "seed": f"{salt}-",
        "hashVersion": HASH_VERSION,
        "ranges": [_range(begin, end)],
    }


def _refuse_dates(allocation: Allocation, as_of: datetime) -> None:
    if allocation.status == "completed":
        return
    to_come = [
        *(phase.start for phase in allocation.phases),
        *([] if allocation.end is None else [allocation.end]),
        *(instant for pause in allocation.pauses for instant in pause if instant is not None),
    ]
    later = sorted(instant for instant in to_come if instant > as_of)
    if later:
        raise ExportError(
            Problem(
                "GrowthBook's SDKs have no clock: a date to come cannot act by itself",
                where=allocation.experiment_id,
                value=timestamp(later[0]),
                rule=f"every start, end and pause lies at or before the cut-off {timestamp(as_of)}",
                hint="leave the date out until its day and set the status then, or serve it with sdk: ufc or flagd",
            )
        )


def _overrides(allocation: Allocation, values: Mapping[str, Any]) -> list[Json]:
    return [
        {
            "id": f"{allocation.experiment_id}-override-{variant}",
            "condition": {UNIT: {"$in": units}},
            "force": values[variant],
        }
        for variant, units in allocation.overridden.items()
    ]


def _rules(allocation: Allocation, as_of: datetime, values: Mapping[str, Any]) -> list[Json]:
    state = allocation.state_at(as_of)
    if state == "shipped":
        after: Json = {
            "id": f"{allocation.experiment_id}-after",
            # Other rules bucket by the id and so skip whoever has none; what everybody gets is for units too.
            "condition": {UNIT: {"$nin": [None, ""]}},
            "force": values[allocation.fallback],
        }
        return [after | ({"filters": filters} if (filters := _filters(allocation.holdout_gates)) else {})]
    if state != "open":
        return []
    phase = allocation.phase_at(as_of)
    return [
        _rule(allocation, phase, band, values, f"-leaf-{number}" if band.when else "")
        for number, band in enumerate(phase.bands, start=1)
    ]


def _rule(
    allocation: Allocation,
    phase: AllocationPhase,
    band: AllocationBand,
    values: Mapping[str, Any],
    leaf: str,
) -> Json:
    number = f"{allocation.phases.index(phase)}" + (f"-{band.begin}" if band.begin else "") + leaf
    rule: Json = {
        "id": f"{allocation.experiment_id}-phase-{number}",
        "key": allocation.experiment_id,
        "hashAttribute": UNIT,
        "hashVersion": HASH_VERSION,
        "seed": f"{phase.split_salt}-",
        "coverage": 1,
        "filters": _filters(allocation.gates(phase, band)),
        "variations": [values[name] for name in band.ranges],
        "meta": [{"key": name, "name": label(allocation.experiment_id, name)} for name in band.ranges],
        "weights": [band.probability(name) for name in band.ranges],
        "ranges": [_range(begin, end) for begin, end in band.ranges.values()],
    }
    condition = both(allocation.targeting, band.when)
    if condition is not None:
        rule["condition"] = growthbook_condition(condition)
    return rule


def _filters(gates: list[Gate]) -> list[Json]:
    return [growthbook_filter(*gate) for gate in gates]


def _range(begin: int, end: int) -> list[float]:
    return [begin / TOTAL_SHARDS, end / TOTAL_SHARDS]


def _test(attribute: str, operator: str, operand: Any) -> Json:
    name = plain_attribute(attribute, "GrowthBook", (UNIT,))
    if operator == "is_null":
        return {name: {"$exists": not operand}}
    if operator in {"in", "equals"}:
        return {name: {"$in": forms(operand)}}
    if operator in {"not_in", "not_equals"}:
        return {name: {"$exists": True, "$nin": forms(operand)}}
    if operator in {"gt", "gte", "lt", "lte"}:
        return {name: {"$type": "number", f"${operator}": operand}}
    if operator.startswith("semver_"):
        return {name: {"$regex": _VERSION, f"$v{operator.removeprefix('semver_')}": _version(operand)}}
    return refuse_pattern(attribute, operand, "GrowthBook")


def _version(operand: Any) -> str:
    version = three_parts(operand)
    if re.fullmatch(_VERSION, version) is None:
        raise ExportError(
            Problem(
                "GrowthBook's SDKs cannot order the version",
                value=version,
                rule="numbers of at most five digits, labels without hyphens",
                hint="serve it with sdk: ufc or flagd",
            )
        )
    return version
