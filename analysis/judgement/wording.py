"""Numbers as people read them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def p_text(p_value: float | None) -> str:
    """``p = 0.0123``, ``p = 2.1e-16``, ``p < 1e-300``."""
    if p_value is None or p_value != p_value:  # noqa: PLR0124 - NaN
        return "p unknown"
    if p_value < 1e-300:
        return "p < 1e-300"
    return f"p = {p_value:.2e}" if p_value < 0.001 else f"p = {p_value:.3g}"


def percent(share: float, *, signed: bool = True) -> str:
    """``+3.2%`` with a true minus, as the pages write it; a finer step where the size asks for it."""
    digits = 1 if abs(share) >= 0.001 or share == 0 else 3
    return f"{100 * share:{'+' if signed else ''}.{digits}f}%".replace("-", "−")


def count_text(values: Iterable[float]) -> str:
    """``5,012 / 4,988.5``: whole where whole."""
    return " / ".join(f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}" for value in values)


def listed(words: list[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
