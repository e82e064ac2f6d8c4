"""What one event is worth to a measure, as SQL: `event_worth` and `scaled_value` of the dbt project."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fairsplit.analysis.catalogue.events import MAX_VALUE
from fairsplit.analysis.catalogue.measures import MAX_SCALE

if TYPE_CHECKING:
    from fairsplit.analysis.catalogue.measures import Measure

#: For connections that run such SQL: DuckDB computes what two expressions share ahead of both, even what stands inside
#: `try()`, and an event on which a measure fails would stop the query. dbt's profile says the same.
KEEP_TRIES_WHOLE: Final = "set disabled_optimizers = 'common_subexpressions'"


#: Of one event, scaled: nearly all of 64 bits, and by itself more than the sums of a metric hold (decision 0821).
LARGEST_WORTH: Final = 9_200_000_000_000_000_000


def worth(measure: Measure) -> str:
    """The measure's expression on one event; null where it fails there."""
    return f"try((\n{measure.expr}\n))"


def scaled(measure: Measure) -> str:
    """What one event adds to a measure, as an integer, half-even and exact; `LARGEST_WORTH` for what is beyond it."""
    if measure.agg == "count":
        return f"({worth(measure)} is not null)::bigint"
    value = worth(measure)
    plain = f"try_cast({value} as decimal(18, 6))"
    exact = f"try_cast({value} as decimal(38, 12)) * {measure.scale}"
    real = f"try_cast({value} as double)"
    away = f"cast({exact} as hugeint)"
    whole = f"""
        when abs({plain}) <= {MAX_VALUE} and {plain} = {value}
            then cast(trunc({plain}) as bigint) * {MAX_SCALE} + cast({plain} % 1 * {MAX_SCALE} as bigint)"""
    return f"""(case
        when {value} is null then 0{whole if measure.scale == MAX_SCALE else ""}
        when not coalesce(isfinite({real}), false) then 0
        when abs({real}) > {LARGEST_WORTH // measure.scale} then if({real} > 0, 1, -1) * {LARGEST_WORTH}
        when abs({real}) > {MAX_VALUE} then cast(try_cast({value} as decimal(38, 6)) * {measure.scale} as bigint)
        when abs({exact} - {away}) = 0.5 and {away} % 2 <> 0 then cast({away} - sign({exact}) as bigint)
        else cast({away} as bigint) end)"""
