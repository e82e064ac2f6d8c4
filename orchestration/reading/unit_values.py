"""The query that computes a metric's unit values from the events themselves.

The pipeline gets the same values by another way: from unit-day sums for the days inside a window, and event by event
only at its edges. So agreement of both is evidence, not repetition.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

from fairsplit.orchestration.warehouse.measure_sql import scaled, worth

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from fairsplit.analysis.catalogue.metric_definition import Conversion
    from fairsplit.analysis.catalogue.metrics import Measure, MetricDefinition

_PAIRS = tuple(itertools.combinations_with_replacement("ydxw", 2))
#: The sums that the statistics table keeps; columns ``sum_<letters>``.
SUMS = tuple(f"sum_{letters}" for letters in ("y", "d", "x", "w", *map("".join, _PAIRS)))

#: The lowest and the highest value that capping leaves, in scaled integers.
Caps: TypeAlias = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Asked:
    """Which unit values.

    Attributes:
        experiment: Its id.
        unit: user, anonymous or session.
        cut_off: The last calendar day that counts, included.
        cuped_days: Days before exposure of the covariate; 0 for none.
        one_arm_only: Leave out units that had seen a second arm by the cut-off.
        caps: Winsorising: values are raised to the first and lowered to the second, in scaled integers; none for
            no caps.
        caps_before: The same of the covariate.
    """

    experiment: str
    unit: str
    cut_off: date
    cuped_days: int = 0
    one_arm_only: bool = False
    caps: Caps | None = None
    caps_before: Caps | None = None


def caps_of(statistics: Mapping[str, Any], name: str = "cap") -> Caps | None:
    """The caps that a row of `fct_sufficient_statistics` tells, of the outcome or (``cap_x``) of its covariate.

    A home that an earlier version built has no caps of covariates until its next run.
    """
    low, high = statistics.get(f"{name}_low"), statistics.get(f"{name}_high")
    return None if low is None or high is None else (low, high)


def unit_values_query(asked: Asked, metric: MetricDefinition, measures: Mapping[str, Measure]) -> str:
    """SELECT of (variant_id, unit_id, y, d, x, w): one row for every unit that counts, zeros included.

    y is the outcome, d the denominator of a ratio, x and w the same before exposure, all as the stored integers.

    Args:
        asked: Which experiment, cut-off and rules.
        metric: The metric.
        measures: Measures by name.
    """
    end = f"timestamp '{asked.cut_off + timedelta(days=1)} 00:00:00'"
    start_offset = _interval(metric.window_start)
    closes = f"exposed_at + {_interval(metric.window_end)}" if metric.window_end is not None else end
    counted = f"{closes} <= {end}" if metric.window_end is not None else f"exposed_at < {end}"
    crossers = (
        f"\n        and (second_arm_at is null or second_arm_at >= {end})" if asked.one_arm_only else ""
    )
    return f"""with
units as (
    select variant_id, unit_id, exposed_at, exposed_at + {start_offset} as from_at, {closes} as to_at,
        exposed_at - to_days({asked.cuped_days}) as before_at
    from fct_exposures
    where experiment_id = {_text(asked.experiment)}
        and {counted}{crossers}
),
events as (
    select {unit_id(asked.unit)} as unit_id, e.occurred_at, e.event_id,
        {_event_columns(metric, measures)}
    from stg_events as e{joined_links(asked.unit)}
    where e.event_day <= date '{asked.cut_off}'
),
of_units as (
    select u.variant_id, u.unit_id, u.exposed_at, e.* exclude (unit_id),
        e.occurred_at >= u.from_at and e.occurred_at < u.to_at as is_post,
        e.occurred_at >= u.before_at and e.occurred_at < u.exposed_at as is_pre
    from units as u left join events as e on u.unit_id = e.unit_id
)
{_values(asked, metric)}"""


def sums_query(unit_values: str) -> str:
    """SELECT of (variant_id, n, sum_y … sum_ww) over the rows of `unit_values_query`."""
    sums = ["sum(y)::hugeint as sum_y", *(f"sum({one})::hugeint as sum_{one}" for one in ("d", "x", "w"))]
    sums += [f"sum({one} * {other})::hugeint as sum_{one}{other}" for one, other in _PAIRS]
    return f"select variant_id, count(*) as n, {', '.join(sums)} from ({unit_values}) group by variant_id"


def _values(asked: Asked, metric: MetricDefinition) -> str:
    if metric.kind == "funnel":
        return _funnel(len(metric.funnel))
    if metric.conversion is not None:
        return _followed(metric, metric.conversion)
    if metric.kind == "count_distinct":
        y, d, x, w = "count(distinct y) filter (is_post)::hugeint", "null", "null", "null"
    elif metric.kind == "time_to_conversion":
        first = "min(occurred_at) filter (is_post and y is not null)"
        y = f"coalesce(epoch_us({first}) - epoch_us(min(exposed_at)), 0)::hugeint"
        d, x, w = f"({first} is not null)::int::hugeint", "null", "null"
    else:
        y = _capped(_outcome(metric, "is_post"), metric, asked.caps)
        covariate = asked.cuped_days > 0
        d = _sum("d", "is_post") if metric.denominator else "null"
        x = _capped(_outcome(metric, "is_pre"), metric, asked.caps_before) if covariate else "null"
        w = _sum("d", "is_pre") if covariate and metric.denominator else "null"
    return f"""select variant_id, unit_id,
    {y} as y,
    {d}::hugeint as d,
    {x}::hugeint as x,
    {w}::hugeint as w
from of_units
group by variant_id, unit_id"""


def _funnel(steps: int) -> str:
    """A unit converts when its steps came in order; the first event of a step that is not before the step before."""
    columns = ["min(occurred_at) filter (is_post and step_1) as at_1"]
    columns += [
        f"list_min(list_filter(list(occurred_at) filter (is_post and step_{step}), lambda one: one >= at_{step - 1}))"
        f" as at_{step}"
        for step in range(2, steps + 1)
    ]
    listed = ",\n        ".join(columns)
    return f"""select variant_id, unit_id, (at_{steps} is not null)::int::hugeint as y,
    null::hugeint as d, null::hugeint as x, null::hugeint as w
from (
    select variant_id, unit_id,
        {listed}
    from of_units
    group by variant_id, unit_id
)"""


def _followed(metric: MetricDefinition, conversion: Conversion) -> str:
    """Events that came shortly enough after one of the base measure, the same instant included."""
    bound = "is not null"
    if conversion.within is not None:
        bound = f"> occurred_at - {_interval(conversion.within)}"
    base = "count(*) filter (is_post and before is not null)" if metric.denominator else "null"
    return f"""select variant_id, unit_id,
    count(*) filter (is_post and y is not null and last_before_at {bound})::hugeint as y,
    {base}::hugeint as d, null::hugeint as x, null::hugeint as w
from (
    select *, max(occurred_at) filter (is_post and before is not null) over (
        partition by variant_id, unit_id order by occurred_at range between unbounded preceding and current row
    ) as last_before_at
    from of_units
)
group by variant_id, unit_id"""


def _outcome(metric: MetricDefinition, when: str) -> str:
    total = _sum("y", when)
    return f"({total} > 0)::int::hugeint" if metric.kind in ("proportion", "retention") else total


def _sum(column: str, when: str) -> str:
    return f"coalesce(sum({column}) filter ({when}), 0)::hugeint"


def _capped(value: str, metric: MetricDefinition, caps: Caps | None) -> str:
    if caps is None:
        return value
    capped = f"least(greatest({value}, {caps[0]}), {caps[1]})::hugeint"
    if metric.winsorize is not None and metric.winsorize.over == "nonzero":
        return f"case when {value} = 0 then 0::hugeint else {capped} end"
    return capped


def _event_columns(metric: MetricDefinition, measures: Mapping[str, Measure]) -> str:
    if metric.kind == "funnel":
        return ",\n        ".join(
            f"{worth(measures[step])} is not null as step_{number}"
            for number, step in enumerate(metric.funnel, start=1)
        )
    outcome = measures[metric.numerator]
    if metric.conversion is not None:
        return f"{worth(outcome)} as y,\n        {worth(measures[metric.conversion.base])} as before"
    if metric.kind in ("count_distinct", "time_to_conversion"):
        return f"{worth(outcome)} as y"
    columns = [f"{scaled(outcome)} as y"]
    if metric.denominator:
        columns.append(f"{scaled(measures[metric.denominator])} as d")
    return ",\n        ".join(columns)


def unit_id(unit: str) -> str:
    """The unit of an event ``e`` with the links of `joined_links`, as SQL."""
    return "coalesce(e.user_id, l.user_id, e.anonymous_id)" if unit == "user" else f"e.{unit}_id"


def joined_links(unit: str) -> str:
    """The join of an event ``e`` with the user ``l`` of its anonymous id; nothing for other kinds of unit."""
    if unit != "user":
        return ""
    return "\n    left join int_identity_links as l on e.user_id is null and e.anonymous_id = l.anonymous_id"


def _interval(span: timedelta) -> str:
    return f"to_seconds({int(span.total_seconds())})"


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
