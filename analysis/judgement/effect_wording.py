"""An effect in a sentence: its size, with the interval that its plan may use."""

from __future__ import annotations

from typing import Any

from analysis.judgement.information import SEQUENTIAL
from analysis.judgement.wording import percent


def effect_text(row: dict[str, Any]) -> str:
    """``Checkout conversion +5.2 % (+1.1 % to +9.4 %)``, by the interval that the plan may use."""
    if row["method"] == "mann_whitney":
        return f"{row['label']} higher in {percent((1 + row['lift_abs']) / 2, signed=False)} of pairs"
    if row["lift_rel"] is None:
        return f"{row['label']} cannot be compared ({row['reason'] or 'zero_baseline'})"
    sequential = row["plan_method"] in SEQUENTIAL or row["role"] == "guardrail"
    low, high = (row[f"{'seq' if sequential else 'lift'}_rel_{side}"] for side in ("low", "high"))
    if sequential and low is None and high is None:
        return f"{row['label']} {percent(row['lift_rel'])} ({_too_early(row)})"
    interval = f"{_bound(low)} to {_bound(high)}"
    return f"{row['label']} {percent(row['lift_rel'])} ({interval})"


def _too_early(row: dict[str, Any]) -> str:
    needed = row["seq_units_needed"]
    since = "" if needed is None else f", from about {needed:,.0f} units an arm on"
    return f"too early for a bound that holds at every look{since}"


def _bound(value: float | None) -> str:
    if value is None or value in {float("inf"), float("-inf")}:
        return "unbounded"
    return percent(value)
