"""The one set of rules for numbers on pages, on top of `fairsplit.analysis.amounts`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from fairsplit.analysis.amounts import (
    MISSING,
    amount,
    between,
    bounds,
    decimals_for,
    in_unit,
    is_rate,
    percent,
    plain,
    points,
    power_of_ten,
    symbol,
)

if TYPE_CHECKING:
    from datetime import date, datetime, timedelta

__all__ = [
    "MISSING",
    "amount",
    "between",
    "bounds",
    "count",
    "day",
    "day_range",
    "decimals_for",
    "instant",
    "is_rate",
    "p_value",
    "percent",
    "plain",
    "points",
    "probability",
    "risk",
    "setting",
    "symbol",
    "time_unit",
    "window",
]

_SMALLEST_PLAIN_P = 0.0001


def time_unit(unit: str, reference: float | None) -> tuple[float, str]:
    """What to divide seconds by, and the unit then, so that values of the reference's size stay readable.

    >>> time_unit("seconds", 159478.0), time_unit("seconds", 90.0), time_unit("USD", 1e6)
    ((3600.0, 'h'), (1.0, 's'), (1.0, 'USD'))
    """
    if unit not in {"s", "second", "seconds"} or reference is None:
        return 1.0, unit
    size = abs(reference)
    if size >= 72 * 3600:
        return 86400.0, "days"
    if size >= 2 * 3600:
        return 3600.0, "h"
    return (60.0, "min") if size >= 300 else (1.0, "s")


def count(value: float | None) -> str:
    """A whole number with grouped thousands.

    >>> count(145274)
    '145,274'
    """
    return plain(value, 0)


def setting(value: float | None) -> str:
    """A declared share, such as alpha or a traffic weight, without trailing zeros.

    >>> setting(0.05), setting(1 / 3), setting(1.0)
    ('5%', '33.3%', '100%')
    """
    return MISSING if value is None else f"{value * 100:.3g}%"


def risk(value: float | None, unit: str, kind: str) -> str:
    """An expected loss: two significant digits, and a bound where it is too small to matter.

    >>> risk(0.00123, "", "proportion"), risk(1e-9, "", "proportion"), risk(0.042, "USD", "revenue")
    ('0.12 pp', '<0.001 pp', '$0.042')
    """
    if value is None or not math.isfinite(value):
        return MISSING
    size, name = (value * 100, "pp") if is_rate(kind, unit) else (value, unit)
    text = "<0.001" if abs(size) < 0.001 else plain(size, decimals_for(size, 2))
    return in_unit(text, name)


def p_value(value: float | None) -> str:
    """A p-value: three decimals, four below 0.01, powers of ten below 0.0001; never 0.

    >>> p_value(0.1899), p_value(0.0042), p_value(3.2e-17), p_value(0.0)
    ('0.190', '0.0042', '3.2×10⁻¹⁷', '<10⁻³⁰⁰')
    """
    if value is None or not math.isfinite(value):
        return MISSING
    if value >= 0.01:
        return f"{value:.3f}"
    if value >= _SMALLEST_PLAIN_P:
        return f"{value:.4f}"
    return power_of_ten(value)


def probability(value: float | None) -> str:
    """A probability in per cent that never claims certainty.

    >>> probability(0.973), probability(0.99996), probability(0.00001)
    ('97.3%', '>99.9%', '<0.1%')
    """
    if value is None or not math.isfinite(value):
        return MISSING
    if value > 0.999:
        return ">99.9%"
    if value < 0.001:
        return "<0.1%"
    return f"{value * 100:.1f}%"


def day(value: object) -> str:
    """A calendar day or instant as ``5 Jan 2026``.

    >>> import datetime as dt
    >>> day(dt.date(2026, 1, 5))
    '5 Jan 2026'
    """
    if value is None:
        return MISSING
    months = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    return f"{value.day} {months[value.month - 1]} {value.year}"  # type: ignore[attr-defined]


def day_range(first: date, last: date) -> str:
    """Two days as ``5 – 11 Jan 2026``, one as `day`.

    >>> import datetime as dt
    >>> day_range(dt.date(2026, 1, 5), dt.date(2026, 1, 11)), day_range(dt.date(2026, 1, 5), dt.date(2026, 1, 5))
    ('5 – 11 Jan 2026', '5 Jan 2026')
    >>> day_range(dt.date(2025, 12, 30), dt.date(2026, 1, 11))
    '30 Dec 2025 – 11 Jan 2026'
    """
    if first == last:
        return day(last)
    parts = day(first).split(" ")
    while len(parts) > 1 and parts[-1] == day(last).split(" ")[len(parts) - 1]:
        parts.pop()
    return f"{' '.join(parts)} – {day(last)}"


def instant(value: datetime | None) -> str:
    """An instant in UTC to the minute.

    >>> import datetime as dt
    >>> instant(dt.datetime(2026, 1, 5, 13, 7))
    '5 Jan 2026, 13:07 UTC'
    """
    return MISSING if value is None else f"{day(value)}, {value:%H:%M} UTC"


def window(start: timedelta | None, end: timedelta | None) -> str:
    """A metric's window after exposure.

    >>> import datetime as dt
    >>> window(dt.timedelta(0), dt.timedelta(days=7)), window(None, None)
    ('first 7 days', 'from exposure on, without end')
    >>> window(dt.timedelta(days=7), dt.timedelta(days=8))
    'day 7 to 8'
    """
    if end is None:
        return "from exposure on, without end"
    hours = end.total_seconds() / 3600
    if start:
        return f"day {start.total_seconds() / 86400:g} to {hours / 24:g}"
    return f"first {hours / 24:g} days" if hours >= 48 else f"first {hours:g} hours"
