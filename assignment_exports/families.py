"""The SDK families: which file each reads, and how an experiment or a feature flag becomes its flags."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from fairsplit.assignment_exports.flagd import FLAGD, flagd_flags, flagd_payload
from fairsplit.assignment_exports.flagd_flags import flagd_flag
from fairsplit.assignment_exports.growthbook import GROWTHBOOK, growthbook_features, growthbook_payload
from fairsplit.assignment_exports.growthbook_flags import growthbook_flag
from fairsplit.assignment_exports.ufc import assemble, compile_flags
from fairsplit.assignment_exports.ufc_flags import ufc_flag

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from pathlib import Path

    from fairsplit.analysis.catalogue import Flag
    from fairsplit.analysis.catalogue.conditions import Condition
    from fairsplit.analysis.catalogue.hashes import Sdk
    from fairsplit.assignment_exports.allocation import Allocation

Json = dict[str, Any]
UFC: Final = "ufc.json"


@dataclass(frozen=True, slots=True)
class Family:
    """One family of SDKs.

    Attributes:
        file: The payload's name in a version.
        part: The key under which the payload holds its flags.
        compile: Allocation, cut-off and key prefix to flags by key; raises ExportError for what the family
            cannot express.
        compile_flag: A feature flag, all flags, the conditions of the named segments, cut-off and key prefix to
            flags by key; raises ExportError for what the family cannot express.
        assemble: Flags and cut-off to the whole payload.
    """

    file: str
    part: str
    compile: Callable[[Allocation, datetime, str], dict[str, Json]]
    compile_flag: Callable[
        [Flag, Mapping[str, Flag], Mapping[str, Condition], datetime, str], dict[str, Json]
    ]
    assemble: Callable[[Mapping[str, Json], datetime], Json]


FAMILIES: Final[Mapping[Sdk, Family]] = {
    "ufc": Family(UFC, "flags", compile_flags, ufc_flag, assemble),
    "flagd": Family(FLAGD, "flags", flagd_flags, flagd_flag, flagd_payload),
    "growthbook": Family(GROWTHBOOK, "features", growthbook_features, growthbook_flag, growthbook_payload),
}


def published_flags(version: Path) -> dict[tuple[Sdk, str], Json]:
    """Every flag of a published version, by family and key; a family without a file has none."""
    found: dict[tuple[Sdk, str], Json] = {}
    for sdk, family in FAMILIES.items():
        path = version / family.file
        if path.exists():
            flags = json.loads(path.read_bytes())[family.part]
            found |= {(sdk, key): flag for key, flag in flags.items()}
    return found
