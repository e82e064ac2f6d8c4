"""Experiments as code, in batch: raw events in; trustworthy scorecards and traffic-allocation configs out.

`open`, `analyze`, `plan` and `build_definitions` (docs/python.md) are loaded when they are first asked for: the
commands' own imports are counted in tenths of a second.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fairsplit.analysis.errors import FairsplitError
    from fairsplit.orchestration.definitions import build_definitions
    from fairsplit.orchestration.library.analyzing import Scorecard, analyze
    from fairsplit.orchestration.library.opened import OpenProject
    from fairsplit.orchestration.library.opened import open_project as open  # noqa: A004
    from fairsplit.orchestration.library.planning import Plan, plan

__all__ = [
    "FairsplitError",
    "OpenProject",
    "Plan",
    "Scorecard",
    "analyze",
    "build_definitions",
    "open",
    "plan",
]

#: Module and name of what is given. As text: the hash of the code follows import statements, and no result row is
#: computed by what only reads.
_GIVEN = {
    "FairsplitError": ("analysis.errors", "FairsplitError"),
    "OpenProject": ("orchestration.library.opened", "OpenProject"),
    "Plan": ("orchestration.library.planning", "Plan"),
    "Scorecard": ("orchestration.library.analyzing", "Scorecard"),
    "analyze": ("orchestration.library.analyzing", "analyze"),
    "build_definitions": ("orchestration.definitions", "build_definitions"),
    "open": ("orchestration.library.opened", "open_project"),
    "plan": ("orchestration.library.planning", "plan"),
}


def __getattr__(name: str) -> Any:
    if name not in _GIVEN:
        raise AttributeError(f"module 'fairsplit' has no attribute {name!r}")
    module, attribute = _GIVEN[name]
    return getattr(importlib.import_module(f"fairsplit.{module}"), attribute)


def __dir__() -> list[str]:
    return sorted([*globals(), *_GIVEN])
