"""Which custom parts are installed: the one place that asks for entry points."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, Final, Literal

from fairsplit.analysis.errors import AnalysisError, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

Group = Literal["tests", "metrics", "randomisation", "search"]
GROUPS: Final[tuple[Group, ...]] = ("tests", "metrics", "randomisation", "search")


class PartError(AnalysisError):
    """A custom part cannot be used."""


@dataclass(frozen=True, slots=True)
class Part:
    """One installed part.

    Attributes:
        name: As definitions name it, ``robust.trimmed_mean``.
        distribution: What brings it.
        version: Of the distribution.
        entry: Where its code is.
    """

    name: str
    distribution: str
    version: str
    entry: EntryPoint

    @property
    def package(self) -> str:
        """The package that holds its code."""
        return self.entry.module.partition(".")[0]

    def load(self) -> Any:
        """The part itself.

        Raises:
            PartError: Its code cannot be imported, or is nothing that can be called.
        """
        try:
            part = self.entry.load()
        except (ImportError, AttributeError, SyntaxError) as error:
            raise PartError(self._problem("cannot be imported", str(error))) from error
        if not callable(part):
            raise PartError(self._problem("is nothing that can be called", repr(part)))
        return part

    def _problem(self, what: str, value: str) -> Problem:
        return Problem(
            f"the part {self.name} {what}", f"{self.distribution} {self.version}", value,
            hint=f"mend {self.entry.value}, or leave the part out",
        )  # fmt: skip


def is_custom(name: str) -> bool:
    """Whether a name is that of a custom part: those that are shipped have no dot."""
    return "." in name


@cache
def installed(group: Group) -> Mapping[str, Part]:
    """The parts of a group by their names; where two distributions bring one name, neither counts."""
    found: dict[str, list[Part]] = {}
    for entry in entry_points(group=f"fairsplit.{group}"):
        if is_custom(entry.name) and entry.dist is not None:
            part = Part(entry.name, entry.dist.metadata["Name"], entry.dist.version, entry)
            found.setdefault(entry.name, []).append(part)
    # The same distribution may be found twice, for example in an editable install and in its build.
    single = {
        name: {(one.distribution, one.entry.value): one for one in parts} for name, parts in found.items()
    }
    return {name: next(iter(parts.values())) for name, parts in sorted(single.items()) if len(parts) == 1}


def part_of(group: Group, name: str) -> Any:
    """The part of a group that bears a name.

    Raises:
        PartError: There is none, or it cannot be imported.
    """
    parts = installed(group)
    if name not in parts:
        raise PartError(
            Problem(
                f"no installed distribution brings {name}",
                value=f"fairsplit.{group}",
                rule=f"one of: {', '.join(parts) or 'none is installed'}",
            )
        )
    return parts[name].load()
