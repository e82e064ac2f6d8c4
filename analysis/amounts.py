"""Values, differences and intervals as text: the rules that sentences, pages and terminals share.

Decimals follow the uncertainty: an estimate is shown to two significant digits of its interval's half-width,
per cent to one decimal at least, and its bounds to the same decimals. Rates are per cent, differences of
rates are percentage points, everything else has its unit. Minus is U+2212; thousands are grouped by commas.
What is missing is an en dash, never 0.
"""

from __future__ import annotations

import math

MISSING = "–"
_MAX_DECIMALS = 6
_SUPERSCRIPT = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
_SMALLEST_POWER = 1e-300
_RATE_KINDS = frozenset({"proportion", "retention", "funnel"})
_SYMBOLS = {"currency": "", "seconds": "s", "second": "s", "milliseconds": "ms"}
_LONGEST_UNIT = 9
#: Signs that stand before a number, by ISO 4217 code, as English writes them (CLDR 45); other codes stand behind it.
_CURRENCIES = {
    "USD": "$",
    "EUR": "€",
    "GBP": "£",
    "JPY": "¥",
    "CNY": "CN¥",
    "INR": "₹",
    "KRW": "₩",
    "BRL": "R$",
    "MXN": "MX$",
    "CAD": "CA$",
    "AUD": "A$",
    "NZD": "NZ$",
    "ILS": "₪",
    "VND": "₫",
}


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


def in_unit(number: str, unit: str) -> str:
    """A written number with its unit: a currency's sign before it, any other short unit behind it.

    >>> in_unit("−0.31", "USD"), in_unit("1.23", "EUR per order"), in_unit("<0.001", "GBP"), in_unit("+4", "CHF")
    ('−$0.31', '€1.23', '<£0.001', '+4 CHF')
    """
    sign = _CURRENCIES.get(unit.partition(" per ")[0])
    if sign:
        digits = number.lstrip("+−<")
        return f"{number.removesuffix(digits)}{sign}{digits}"
    name = symbol(unit)
    return f"{number} {name}" if name else number


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


def power_of_ten(value: float) -> str:
    """A tiny positive number as a power of ten; never 0.

    >>> power_of_ten(3.2e-17), power_of_ten(0.0)
    ('3.2×10⁻¹⁷', '<10⁻³⁰⁰')
    """
    if value < _SMALLEST_POWER:
        return "<10" + "-300".translate(_SUPERSCRIPT)
    mantissa, _, exponent = f"{value:.1e}".partition("e")
    return f"{mantissa}×10" + str(int(exponent)).translate(_SUPERSCRIPT)


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
    ('$1.23', '−$0.31')
    """
    if value is None or not math.isfinite(value):
        return MISSING
    if is_rate(kind, unit):
        return points(value, half_width=scale) if signed else percent(value)
    decimals = decimals_for(scale, 2) if scale is not None else decimals_for(value, 3)
    return in_unit(plain(value, decimals, signed=signed), unit)


def between(low: str, high: str) -> str:
    """Two formatted bounds, a unit they share said once.

    >>> between("−0.01 CHF", "+0.38 CHF"), between("+1.2%", "+8.1%"), between("−$0.01", "+$0.38")
    ('−0.01 to +0.38 CHF', '+1.2% to +8.1%', '−$0.01 to +$0.38')
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
