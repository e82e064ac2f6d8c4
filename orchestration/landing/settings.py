"""By what landed rows are judged, beside their source's mapping."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from fairsplit.orchestration.landing.scan import SETTLE

if TYPE_CHECKING:
    from datetime import date


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
