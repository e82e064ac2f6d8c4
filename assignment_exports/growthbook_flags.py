"""Feature flags for GrowthBook: rules that force the overrides and the rollout's value, and a default.

A dependency is a prerequisite of GrowthBook's own: the rule looks up what the other feature serves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fairsplit.analysis.catalogue.shards import share_to_shards
from fairsplit.analysis.errors import Problem
from fairsplit.assignment_exports.eligibility import inline_segments
from fairsplit.assignment_exports.errors import ExportError
from fairsplit.assignment_exports.flags import ON, overrides_of, rollout_salt, whom_serves
from fairsplit.assignment_exports.growthbook import UNIT, growthbook_condition, growthbook_filter

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from fairsplit.analysis.catalogue import Flag
    from fairsplit.analysis.catalogue.conditions import Condition
    from fairsplit.analysis.catalogue.flags import Dependency

Json = dict[str, Any]


def growthbook_flag(
    flag: Flag,
    flags: Mapping[str, Flag],
    segments: Mapping[str, Condition],
    _as_of: datetime,
    prefix: str = "",
) -> dict[str, Json]:
    """The GrowthBook feature of a feature flag, by key.

    Args:
        flag: A checked flag.
        flags: All checked flags, for dependencies.
        segments: Conditions of the named segments.
        _as_of: Not needed, for times are refused.
        prefix: Put before the key.

    Raises:
        ExportError: GrowthBook cannot express the targeting or a dependency.
    """
    key = prefix + flag.id
    rules: list[Json] = [
        {"id": f"{key}-{name}", "condition": {UNIT: {"$in": units}}, "force": value}
        for name, value, units in overrides_of(flag)
    ]
    if flag.enabled:
        rollout: Json = {
            "id": f"{key}-{ON}",
            "force": flag.served,
            "filters": [growthbook_filter(rollout_salt(flag), 0, share_to_shards(flag.rollout))],
        }
        if flag.targeting is not None:
            rollout["condition"] = growthbook_condition(inline_segments(flag.targeting, segments))
        if flag.depends_on:
            rollout["parentConditions"] = [_parent(need, flag, flags, prefix) for need in flag.depends_on]
        rules.append(rollout)
    return {key: {"defaultValue": flag.default, "rules": rules}}


def _parent(need: Dependency, flag: Flag, flags: Mapping[str, Flag], prefix: str) -> Json:
    whom_serves(need, flag, flags)
    if isinstance(need.value, dict) and all(key.startswith("$") for key in need.value):
        raise ExportError(
            Problem(
                "GrowthBook reads the wanted value as operators",
                where=flag.id,
                value=f"depends on {need.flag} = {need.value}",
                rule="an object with at least one key that does not begin with $",
                hint="give the other flag a key more, or serve both with sdk: ufc or flagd",
            )
        )
    return {"id": prefix + need.flag, "condition": {"value": need.value}}
