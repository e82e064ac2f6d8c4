"""Under which names Dagster knows what is ours: a host's code location may put a prefix before all of them.

The prefix is chosen once, before `defs` is imported: Dagster's decorators and dbt's checks take names when they are
declared.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import dagster as dg

from fairsplit.analysis.errors import Problem
from fairsplit.orchestration.errors import OrchestrationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_DECLARED = "fairsplit.orchestration.defs.catalogue.assets"
_PREFIX = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")
_prefix = ""
_upstream: dict[str, tuple[dg.AssetKey, ...]] = {}

#: Keys of the resources and of the logger; a host has its own `dbt`.
HOME, DBT, PROGRESS = "fairsplit_home", "fairsplit_dbt", "fairsplit_progress"
GROUPS = ("catalogue", "landing", "staging", "intermediate", "semantic", "marts", "judgement", "publishing")


def choose(prefix: str, upstream: Mapping[str, Sequence[dg.AssetKey]]) -> None:
    """Put a prefix before all names, and name the assets of others that fill a source.

    Args:
        prefix: Letters, digits and `_`; empty for none.
        upstream: By the id of a source, the assets that make what it reads.

    Raises:
        OrchestrationError: The prefix is no name, or others were chosen for this process already.
    """
    global _prefix, _upstream
    if prefix and not _PREFIX.match(prefix):
        rule = "letters, digits and _, a letter first"
        raise OrchestrationError(Problem("no prefix", "build_definitions", prefix, rule))
    wanted = prefix, {source: tuple(keys) for source, keys in sorted(upstream.items())}
    if _DECLARED in sys.modules and wanted != (_prefix, _upstream):
        hint = "call build_definitions once in a code location, before importing fairsplit.orchestration.definitions"
        raise OrchestrationError(
            Problem("Dagster's names are chosen already", "build_definitions", prefix, hint=hint)
        )
    _prefix, _upstream = wanted


def prefix() -> list[str]:
    """What stands before every asset key, as its parts."""
    return [_prefix] if _prefix else []


def key(name: str) -> dg.AssetKey:
    """The key of an asset of ours."""
    return dg.AssetKey([*prefix(), name])


def named(name: str) -> str:
    """The name of a group, a job, a schedule, a sensor or a pool of ours."""
    return f"{_prefix}_{name}" if _prefix else name


def is_hosted() -> bool:
    """Whether others' jobs may stand beside ours."""
    return bool(_prefix or _upstream)


def upstream() -> dict[str, tuple[dg.AssetKey, ...]]:
    """The assets of others that fill a source, by its id."""
    return _upstream
