"""The one set of rules for numbers on pages.

Decimals follow the uncertainty: an estimate is shown to two significant digits of its interval's half-width,
per cent to one decimal at least, and its bounds to the same decimals. Rates are per cent, differences of
rates are percentage points, everything else has its unit. Minus is U+2212; thousands are grouped by commas.
What is missing is an en dash, never 0.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date, datetime, timedelta

MISSING = "–"
_SUPERSCRIPT = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
_MAX_DECIMALS = 6
_SMALLEST_PLAIN_P = 0.0001
_RATE_KINDS = frozenset({"proportion", "retention", "funnel"})
_SYMBOLS = {"currency": "", "seconds": "s", "second": "s", "milliseconds": "ms"}
_LONGEST_UNIT = 9


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


def is_rate(kind: str, unit: str) -> bool:
    """Whether values are shares: shown as per cent, their differences as percentage points.

    >>> is_rate("proportion", ""), is_rate("ratio", "share of sessions"), is_rate("ratio", "errors per page")
    (True, True, False)
    """
    return kind in _RATE_KINDS or unit.startswith("share of ")


def symbol(unit: str) -> str:
    """The unit as it stands behind a number: short ones only, since the metric's line says it in full.

    >>> symbol("seconds"), symbol("USD"), symbol("clicks per impression"), symbol("currency")
    ('s', 'USD', '', '')
    """
    short = _SYMBOLS.get(unit, unit)
    return short if len(short) <= _LONGEST_UNIT and " " not in short else ""


def plain(value: float | None, decimals: int, *, signed: bool = False) -> str:
    """A number with a fixed count of decimals, grouped thousands and a true minus sign.

    >>> plain(-12345.678, 1)
    '−12,345.7'
    >>> plain(0.04, 1, signed=True), plain(-0.04, 1, signed=True)
    ('0.0', '0.0')
    """
    if value is None or not math.isfinite(value):
        return MISSING
    text = f"{abs(value):,.{max(decimals, 0)}f}"
    if not text.strip("0.,"):
        return text
    if value < 0:
        return "−" + text
    return "+" + text if signed else text


def decimals_for(scale: float | None, digits: int = 2) -> int:
    """Decimals that show ``scale`` to ``digits`` significant digits, between 0 and 6.

    >>> decimals_for(0.034), decimals_for(3.4), decimals_for(340.0), decimals_for(None)
    (3, 1, 0, 2)
    """
    if scale is None or not math.isfinite(scale):
        return digits
    if scale == 0:
        return 0
    return min(max(digits - 1 - math.floor(math.log10(abs(scale))), 0), _MAX_DECIMALS)


def count(value: float | None) -> str:
    """A whole number with grouped thousands.

    >>> count(145274)
    '145,274'
    """
    return plain(value, 0)


def percent(value: float | None, *, signed: bool = False, half_width: float | None = None) -> str:
    """A share or a relative change as per cent.

    Args:
        value: The fraction (0.046 is 4.6 %).
        signed: Whether a plus sign is shown, as for changes.
        half_width: Half its interval, which sets the decimals; without it three significant digits.

    >>> percent(0.04567), percent(0.04567, signed=True, half_width=0.0123)
    ('4.57%', '+4.6%')
    """
    if value is None or not math.isfinite(value):
        return MISSING
    scaled = value * 100
    if half_width is None or not math.isfinite(half_width) or half_width == 0:
        return plain(scaled, decimals_for(scaled, 3), signed=signed) + "%"
    return plain(scaled, max(decimals_for(half_width * 100, 2), 1), signed=signed) + "%"


def setting(value: float | None) -> str:
    """A declared share, such as alpha or a traffic weight, without trailing zeros.

    >>> setting(0.05), setting(1 / 3), setting(1.0)
    ('5%', '33.3%', '100%')
    """
    return MISSING if value is None else f"{value * 100:.3g}%"


def risk(value: float | None, unit: str, kind: str) -> str:
    """An expected loss: two significant digits, and a bound where it is too small to matter.

    >>> risk(0.00123, "", "proportion"), risk(1e-9, "", "proportion"), risk(0.042, "USD", "revenue")
    ('0.12 pp', '<0.001 pp', '0.042 USD')
    """
    if value is None or not math.isfinite(value):
        return MISSING
    size, name = (value * 100, "pp") if is_rate(kind, unit) else (value, symbol(unit))
    text = "<0.001" if abs(size) < 0.001 else plain(size, decimals_for(size, 2))
    return f"{text} {name}" if name else text


def points(value: float | None, *, half_width: float | None = None) -> str:
    """A difference of two rates in percentage points, signed.

    >>> points(0.0052, half_width=0.003)
    '+0.52 pp'
    """
    if value is None or not math.isfinite(value):
        return MISSING
    scale = (
        half_width * 100
        if half_width is not None and math.isfinite(half_width) and half_width
        else value * 10
    )
    return plain(value * 100, decimals_for(scale, 2), signed=True) + " pp"


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
    if value < 1e-300:
        return "<10" + "-300".translate(_SUPERSCRIPT)
    mantissa, _, exponent = f"{value:.1e}".partition("e")
    return f"{mantissa}×10" + str(int(exponent)).translate(_SUPERSCRIPT)


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


def amount(
    value: float | None, unit: str, kind: str, *, signed: bool = False, scale: float | None = None
) -> str:
    """A metric's value, or a difference of two, in the metric's own unit.

    Args:
        value: In the metric's unit; a fraction for rates.
        unit: As declared by the metric, for example ``USD`` or ``s``.
        kind: The metric's kind; rates are per cent, their differences percentage points.
        signed: True for a difference.
        scale: The size whose two significant digits set the decimals, such as an interval's half-width.

    >>> amount(0.1204, "", "proportion"), amount(0.0052, "", "proportion", signed=True, scale=0.003)
    ('12.0%', '+0.52 pp')
    >>> amount(1.2345, "USD", "revenue"), amount(-0.31, "USD", "revenue", signed=True, scale=0.12)
    ('1.23 USD', '−0.31 USD')
    """
    if value is None or not math.isfinite(value):
        return MISSING
    if is_rate(kind, unit):
        return points(value, half_width=scale) if signed else percent(value)
    decimals = decimals_for(scale, 2) if scale is not None else decimals_for(value, 3)
    text = plain(value, decimals, signed=signed)
    name = symbol(unit)
    return f"{text} {name}" if name else text


def between(low: str, high: str) -> str:
    """Two formatted bounds, a unit they share said once.

    >>> between("−0.01 USD", "+0.38 USD"), between("+1.2%", "+8.1%")
    ('−0.01 to +0.38 USD', '+1.2% to +8.1%')
    """
    _, _, unit = high.partition(" ")
    return f"{low.removesuffix(' ' + unit) if unit else low} to {high}"


def bounds(low: float | None, high: float | None, *, half_width: float | None) -> str:
    """A relative interval; an end that is missing or infinite has no bound.

    >>> bounds(0.012, 0.081, half_width=0.0345), bounds(-0.2, float("inf"), half_width=None)
    ('+1.2% to +8.1%', '−20.0% to no bound')
    """
    ends = (percent(value, signed=True, half_width=half_width) for value in (low, high))
    lower, upper = ("no bound" if end == MISSING else end for end in ends)
    return f"{lower} to {upper}"


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
