"""Numbers as people read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fairsplit.analysis.amounts import power_of_ten

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: What each requirement counts, after "at least 30" or "at most 0.053".
REQUIREMENTS = {
    "units_per_arm": "units in each arm",
    "events": "events in both arms together",
    "expected_events": "expected events in the smaller arm",
    "skewness": "for the skewness of the difference",
    "degrees_of_freedom": "degrees of freedom",
    "units_with_denominator": "units in each arm that have a denominator",
    "certified": "certificate of A/A splits for this custom part",
    "units_beyond_quantile": "units in each arm beyond the quantile",
}


def p_text(p_value: float | None) -> str:
    """``p = 0.0123``, ``p = 2.1×10⁻¹⁶``, ``p < 10⁻³⁰⁰``, as the pages write it."""
    if p_value is None or p_value != p_value:  # noqa: PLR0124 - NaN
        return "p unknown"
    if p_value >= 0.001:
        return f"p = {p_value:.3g}"
    text = power_of_ten(p_value)
    return f"p < {text[1:]}" if text.startswith("<") else f"p = {text}"


#: What is closer to 0 is rounding: two equal arms whose means were summed in another order.
_NOTHING = 1e-12


def percent(share: float, *, signed: bool = True) -> str:
    """``+3.2%`` with a true minus, as the pages write it; a finer step where the size asks for it.

    >>> percent(0.0322), percent(-0.00041), percent(-1.8e-16)
    ('+3.2%', '−0.041%', '+0.0%')
    """
    share = share if abs(share) > _NOTHING else 0.0
    digits = 1 if abs(share) >= 0.001 or share == 0 else 3
    return f"{100 * share:{'+' if signed else ''}.{digits}f}%".replace("-", "−")


def count_text(values: Iterable[float]) -> str:
    """``5,012 / 4,988.5``: whole where whole."""
    return " / ".join(f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}" for value in values)


def listed(words: list[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def requirement_text(one: Mapping[str, Any]) -> str:
    """``at least 30 units in each arm (it has 3)``."""
    required, observed = (_short(one[name]) for name in ("required", "observed"))
    return f"{one['rule']} {required} {REQUIREMENTS[str(one['requirement'])]} (it has {observed})"


def unmet_text(row: Mapping[str, Any]) -> str:
    """What a result row's test asks for and does not have; empty where nothing is missing."""
    lacking = [requirement_text(one) for one in row.get("requirements") or () if not one["met"]]
    return listed(lacking) if lacking else ""


def _short(value: object) -> str:
    number = float(str(value))
    return (
        f"{number:,.0f}"
        if number.is_integer()
        else f"{number:,.3g}"
        if abs(number) < 100
        else f"{number:,.0f}"
    )
