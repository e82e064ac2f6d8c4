"""An effect in a sentence: its size, with the interval that its plan may use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fairsplit.analysis.amounts import amount, between
from fairsplit.analysis.judgement.effects import effect_of, too_early
from fairsplit.analysis.judgement.information import SEQUENTIAL
from fairsplit.analysis.judgement.wording import p_text, percent

if TYPE_CHECKING:
    from collections.abc import Mapping


def effect_text(row: Mapping[str, Any]) -> str:
    """``Checkout conversion +5.2 % (+1.1 % to +9.4 %)``, in the metric's unit where it has no relative form."""
    label = row["label"]
    lasting = row["plan_method"] in SEQUENTIAL or row["role"] == "guardrail"
    effect = effect_of(row, lasting=lasting)
    if row["status"] != "ok" or effect is None:
        return f"{label} cannot be judged ({(row['reason'] or row['status']).replace('_', ' ')})"
    if row["method"] == "mann_whitney":
        return f"{label} higher in {percent((1 + effect.value) / 2, signed=False)} of pairs"
    if row["method"] == "kolmogorov_smirnov":
        side = "higher" if effect.value > 0 else "lower"
        return f"{label} mostly {side}, distributions D = {abs(effect.value):.3g} apart, {p_text(row['p_value'])}"

    def said(value: float | None) -> str:
        if value is None:
            return "unbounded"
        return percent(value) if effect.relative else _amount(row, value, effect.half_width)

    interval = between(said(effect.low), said(effect.high))
    if not effect.has_interval:
        interval = too_early(row) if lasting else "no interval"
    return f"{label} {said(effect.value)} ({interval})"


def minimum_text(row: Mapping[str, Any]) -> str:
    """The smallest effect worth finding as it was declared: a share of the control, or in the metric's unit."""
    declared = row["minimum_effect"]
    if declared is None:
        return ""
    return _amount(row, declared, None) if row["minimum_is_absolute"] else percent(declared)


def _amount(row: Mapping[str, Any], value: float, scale: float | None) -> str:
    return amount(value, row["unit"], "proportion" if row["is_share"] else "", signed=True, scale=scale)
