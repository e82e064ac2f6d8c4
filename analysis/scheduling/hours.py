"""How much better an hour of the week is than another: the log of its activity, shrunk to that of all hours."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING

import numpy as np

from fairsplit.analysis.statistics.combining import between_study_variance

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date
    from zoneinfo import ZoneInfo

    from fairsplit.analysis.statistics.checks import FloatArray

HOURS_A_WEEK = 168


def hour_effects(activity: Iterable[tuple[date, int, int]], zone: ZoneInfo) -> FloatArray:
    """Effect of each local hour of the week, Monday 0:00 first: log of its events over the mean of all hours.

    Each effect is shrunk by how far hours differ at all, as against how well its own is known (empirical Bayes: the
    variance of the log of a count is one over the count; DerSimonian and Laird's variance between hours).

    Args:
        activity: Day (UTC), hour of that day (UTC, 0 to 23), and its events.
        zone: Of the schedule.

    Returns:
        Shape (168,); zeros where nothing is known.
    """
    counts = np.zeros(HOURS_A_WEEK)
    seen = np.zeros(HOURS_A_WEEK)
    for day, hour, events in activity:
        local = (datetime.combine(day, time(hour), UTC)).astimezone(zone)
        at = local.weekday() * 24 + local.hour
        counts[at] += events
        seen[at] += 1
    known = counts > 0
    if known.sum() < 2:
        return np.zeros(HOURS_A_WEEK)
    rate = counts[known] / seen[known]
    raw = np.log(rate) - np.log(rate.mean())
    variance = 1.0 / counts[known]
    between, _ = between_study_variance(raw, variance)
    effects = np.zeros(HOURS_A_WEEK)
    effects[known] = raw * float(between) / (float(between) + variance)
    return effects


def hour_of_week(at: datetime, zone: ZoneInfo) -> int:
    """The local hour of the week of a naive UTC instant, Monday 0:00 first.

    >>> from zoneinfo import ZoneInfo
    >>> hour_of_week(datetime(2026, 1, 5, 8), ZoneInfo("Europe/Berlin"))
    9
    """
    local = at.replace(tzinfo=UTC).astimezone(zone)
    return local.weekday() * 24 + local.hour


def week_of(day: date) -> date:
    """The Monday of a day's week."""
    return day - timedelta(days=day.weekday())
