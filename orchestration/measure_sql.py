"""What one event is worth to a measure, as SQL: `event_worth` and `scaled_value` of the dbt project."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analysis.catalogue.events import MAX_VALUE

if TYPE_CHECKING:
    from analysis.catalogue.metrics import Measure


def worth(measure: Measure) -> str:
    """The measure's expression on one event; null where it fails there."""
    return f"try((\n{measure.expr}\n))"


def scaled(measure: Measure) -> str:
    """What one event adds to a measure, as an integer, half-even and exact; nothing beyond `MAX_VALUE`."""
    if measure.agg == "count":
        return f"({worth(measure)} is not null)::bigint"
    exact = f"try_cast({worth(measure)} as decimal(38, 12)) * {measure.scale}"
    away = f"cast({exact} as hugeint)"
    return f"""(case
        when coalesce(abs({exact}) > {MAX_VALUE} * {measure.scale}, true) then 0
        when abs({exact} - {away}) = 0.5 and {away} % 2 <> 0 then {away} - sign({exact})
        else {away} end)::bigint"""
