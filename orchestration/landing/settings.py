"""By what landed rows are judged, beside their source's mapping."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

from fairsplit.orchestration.landing.scan import SETTLE

if TYPE_CHECKING:
    from fairsplit.analysis.catalogue.project import Project

EARLIEST: Final = date(2000, 1, 1)
"""Where no first day is declared, an event before this day has a broken clock: 1970 is no day of anybody's project."""


@dataclass(frozen=True, slots=True)
class IngestSettings:
    """What the catalogue's project settings say about taking files.

    Attributes:
        first_day: Events before this day are quarantined.
        max_clock_skew: How far beyond its file's arrival an event's instant may lie.
        settle: See `SETTLE`.
    """

    first_day: date
    max_clock_skew: timedelta = timedelta(minutes=10)
    settle: timedelta = SETTLE

    @classmethod
    def of(cls, project: Project) -> IngestSettings:
        """What a project's settings say."""
        return cls(project.first_day or EARLIEST, project.max_clock_skew)
