"""What an unclear result has ruled out, and how long it is to the planned power."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from fairsplit.analysis.judgement.direction import sign_of
from fairsplit.analysis.judgement.effects import Effect
from fairsplit.analysis.scorecards import format as fmt
from fairsplit.analysis.scorecards import headline

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairsplit.analysis.scorecards.inputs import MetricView

Row = dict[str, Any]


def ruled_out(effect: Effect | None, metric: MetricView) -> str:
    """Which effects the interval excludes, the good ones first; empty without an interval that holds zero.

    >>> from fairsplit.analysis.scorecards.inputs import MetricView
    >>> ruled_out(Effect(0.01, -0.02, 0.04, relative=True), MetricView("m", "M"))
    'Effects above +4.0% and below −2.0% are excluded.'
    """
    if effect is None or not effect.has_interval or not _holds_zero(effect):
        return ""
    low, high = (
        ""
        if end is None
        else headline.effect_figures(Effect(end, effect.low, effect.high, effect.relative), metric)[0]
        for end in (effect.low, effect.high)
    )
    parts = [f"above {high}" if high else "", f"below {low}" if low else ""]
    if sign_of(metric.direction) < 0:
        parts.reverse()
    return f"Effects {' and '.join(part for part in parts if part)} are excluded."


def _holds_zero(effect: Effect) -> bool:
    return (effect.low is None or effect.low <= 0) and (effect.high is None or effect.high >= 0)


def undecided(decision: Row | None) -> bool:
    """Whether a decision leaves the question open, so that more units may still answer it."""
    return decision is not None and decision["decision"] in {"continue", "extend", "inconclusive"}


def days_to_power(rows: Sequence[Row], days: int, window_days: float) -> int | None:
    """Days until the arm that knows least has the planned information, if units go on arriving as so far.

    Args:
        rows: Comparisons of the first primary metric.
        days: Days of data so far.
        window_days: How long a unit's value takes to complete.
    """
    known = [
        row["information_fraction"]
        for row in rows
        if math.isfinite(row.get("information_fraction") or math.nan) and row["information_fraction"] > 0
    ]
    if not known:
        return None
    # Units count once their window has closed: what is known comes from the days before that.
    closed = max(days - window_days, 1.0)
    return math.ceil(max(closed * (1 / float(min(known)) - 1), 0.0))


def power_words(to_power: int | None, *, running: bool) -> str:
    """How far it is to the planned power, in a sentence; empty where the plan states no smallest effect."""
    if to_power is None:
        return ""
    if to_power == 0:
        return "The planned power is reached."
    days = f"{fmt.count(to_power)} more {'day' if to_power == 1 else 'days'}"
    if running:
        return f"About {days} at this intake reach the planned power."
    return f"About {days} of such an intake would reach the planned power."
