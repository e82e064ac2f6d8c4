"""Whether a custom part that a definition names can be used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairsplit.analysis.catalogue.findings import did_you_mean
from fairsplit.analysis.parts.installed import PartError, installed

if TYPE_CHECKING:
    from fairsplit.analysis.parts.installed import Group


def refused_part(group: Group, name: str) -> tuple[str, str] | None:
    """Why no part can be used under a name, and what to write; none where one can.

    Args:
        group: Where it should be installed.
        name: As the definition has it.
    """
    parts = installed(group)
    if name not in parts:
        listed = ", ".join(parts) or "none"
        hint = did_you_mean(name, parts) or f"install the distribution that has it; installed are: {listed}"
        return f"no installed distribution brings {name} under fairsplit.{group}", hint
    try:
        parts[name].load()
    except PartError as error:
        problem = error.problem
        return f"{problem.what}: {problem.value} ({problem.where})", problem.hint
    return None
