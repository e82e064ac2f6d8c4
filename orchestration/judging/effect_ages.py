"""What units did soon and what they did late after their exposure, kept from run to run by exposure day."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairsplit.orchestration.judging.kept_days import EVENT_INPUTS, changed_days
from fairsplit.orchestration.provenance.code_hash import code_hash
from fairsplit.orchestration.reading.unit_values import joined_links, unit_id
from fairsplit.orchestration.warehouse.measure_sql import scaled, worth
from fairsplit.orchestration.warehouse.outstanding import frontier

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import duckdb

    from fairsplit.orchestration.catalogue.loading import Definitions

    #: Experiment, unit type, metric, measure, days of the window, and whether a unit-day counts at most once.
    _Asked = tuple[str, str, str, str, int, bool]

_ADDITIVE = ("count", "sum")
_SUMMED, _SHARES = ("count", "revenue", "mean"), ("proportion",)
#: Whole days strictly inside a window of fewer days have no early and late part.
_LEAST_DAYS = 3

# The exposure's day counts from the exposure on, event by event; the days after it are whole unit-days, up to the day
# before the one on which the window ends.
_ROWS = """
    with asked as (
        select e.* , a.metric, a.measure, a.span, a.is_share, a.unit_type
        from fct_exposures as e
        inner join effect_ages_changes as c on e.exposure_day = c.day
        inner join effect_ages_asked as a on e.experiment_id = a.experiment_id
        where e.exposure_day + a.span - 1 <= $frontier
    ),
    done as (
        {done}
    ),
    acted as (
        select
            a.experiment_id, a.metric, a.variant_id, a.exposure_day, a.span, a.is_share, a.unit_id,
            d.event_day - a.exposure_day as age, sum(d.value) as value
        from asked as a
        inner join done as d
            on d.measure = a.measure and d.unit_type = a.unit_type and d.unit_id = a.unit_id
            and d.event_day >= a.exposure_day and d.event_day < a.exposure_day + a.span
            and if(d.event_day = a.exposure_day, d.occurred_at >= a.exposed_at, d.occurred_at is null)
        group by all
    ),
    counted as (
        select * replace (if(is_share, least(value, 1), value) as value), (span - 1) // 2 as half from acted
    ),
    halves as (
        select
            experiment_id, metric, variant_id, exposure_day, unit_id,
            coalesce(sum(value) filter (age >= span - half), 0) as y,
            coalesce(sum(value) filter (age >= span - half or age <= half), 0) as d
        from counted group by all
    ),
    sums as (
        select experiment_id, metric, variant_id, exposure_day, count(*) filter (d <> 0) as active,
            sum(y) as sum_y, sum(d) as sum_d, sum(y * y) as sum_yy, sum(y * d) as sum_yd, sum(d * d) as sum_dd
        from halves group by all
    ),
    units as (
        select experiment_id, metric, variant_id, exposure_day, span, count(*) as n from asked group by all
    )
    select
        experiment_id, metric, variant_id, exposure_day, exposure_day + span - 1 as known_day, n,
        coalesce(active, 0) as active,
        {sums}
    from units left join sums using (experiment_id, metric, variant_id, exposure_day)
"""
_SUMS = ("sum_y", "sum_d", "sum_yy", "sum_yd", "sum_dd")
_UNIT_DAYS = """
    select
        '{name}' as measure, u.unit_type, coalesce(l.user_id, u.raw_id) as unit_id, u.event_day,
        null::timestamp as occurred_at, u."{name}" as value
    from int_unit_days as u
    left join int_identity_links as l
        on u.unit_type = 'user' and u.id_kind = 'anonymous' and u.raw_id = l.anonymous_id
    where u."{name}" <> 0
        and u.event_day > (select min(day) from effect_ages_changes)
        and u.event_day < (select max(day) from effect_ages_changes) + {span}
"""
_EVENTS = """
    select '{name}', '{unit_type}', {unit_id}, e.event_day, e.occurred_at, {value}
    from stg_events as e{links}
    where e.event_day in (from effect_ages_changes) and {worth} is not null
"""
# The exposures of a day, the ids linked to their units, the lake's content from then on, and what is asked.
_HASHES = f"""
    with {EVENT_INPUTS},
    exposures as (
        select exposure_day, sum(hash((experiment_id, variant_id, unit_id, exposed_at))::hugeint) as h
        from fct_exposures where experiment_id in (select experiment_id from effect_ages_asked) group by all
    ),
    links as (
        select e.exposure_day, sum(hash(l)::hugeint) as h
        from fct_exposures as e inner join int_identity_links as l on e.unit_id = l.user_id
        where e.experiment_id in (select experiment_id from effect_ages_asked where unit_type = 'user')
        group by all
    ),
    spans as (
        select e.exposure_day, s.span, e.h, sum(lake.h) as lake, sum(x.h) as excluded
        from exposures as e
        inner join (select distinct span from effect_ages_asked) as s on e.exposure_day + s.span - 1 <= $frontier
        left join lake on lake.day >= e.exposure_day and lake.day < e.exposure_day + s.span
        left join excluded as x on x.day = lake.day
        group by all
    )
    select
        spans.exposure_day as day,
        concat_ws('|', any_value(spans.h), any_value(links.h), any_value(filters.h), $asked,
            string_agg(concat_ws(':', span, lake, excluded), ',' order by span)) as input_hash
    from spans left join links using (exposure_day) cross join filters
    group by spans.exposure_day
"""


def keep_effect_ages(connection: duckdb.DuckDBPyConnection, definitions: Definitions) -> None:
    """Bring `results.effect_ages` up to date with exposures and unit-days, in one transaction.

    Rows: experiment_id, metric, variant_id, exposure_day, `known_day` (the last of the days looked at), `n` units
    exposed, `active` ones, and exact sums per unit of `y`, what it did in the late half of the days inside its
    window, and `d`, what it did in both halves. Only metrics that add up by day are asked; of a share, a unit-day
    counts at most once.

    Args:
        connection: A writer without an open transaction; dbt's marts are built, schema `results` exists.
        definitions: The catalogue and its metrics.
    """
    asked = sorted(_asked(definitions))
    connection.execute("begin")
    connection.execute(
        """create or replace temp table effect_ages_asked (
               experiment_id varchar, unit_type varchar, metric varchar, measure varchar, span integer, is_share boolean
           )"""
    )
    if asked:
        connection.executemany("insert into effect_ages_asked values (?, ?, ?, ?, ?, ?)", asked)
    connection.execute(
        f"""create table if not exists results.effect_ages (
                experiment_id varchar, metric varchar, variant_id varchar, exposure_day date, known_day date,
                n bigint, active bigint, {", ".join(f"{name} hugeint" for name in _SUMS)}
            )"""
    )
    wanted = repr([code_hash(), *((*one, definitions.metrics[one[2]].definition_hash) for one in asked)])
    changed_days(connection, "effect_ages", _HASHES, {"asked": wanted, "frontier": frontier(connection)})
    if asked:
        sums = ", ".join(f"coalesce({name}, 0)::hugeint as {name}" for name in _SUMS)
        rows = _ROWS.format(done=_done(definitions, asked), sums=sums)
        connection.execute(f"insert into results.effect_ages {rows}", {"frontier": frontier(connection)})
    connection.execute("commit")


def _done(definitions: Definitions, asked: Sequence[_Asked]) -> str:
    """What units did, by day and on the days of exposure by event, as one SQL."""
    span = max(one[4] for one in asked)
    parts = [_UNIT_DAYS.format(name=name, span=span) for name in sorted({one[3] for one in asked})]
    for name, unit_type in sorted({(one[3], one[1]) for one in asked}):
        measure = definitions.measures[name]
        parts.append(
            _EVENTS.format(
                name=name,
                unit_type=unit_type,
                unit_id=unit_id(unit_type),
                links=joined_links(unit_type),
                value=scaled(measure),
                worth=worth(measure),
            )
        )
    return " union all ".join(parts)


def _asked(definitions: Definitions) -> Iterator[_Asked]:
    for experiment in definitions.catalogue.experiments.values():
        for use in experiment.metrics.primary:
            metric = definitions.metrics[use.metric]
            if metric.window_end is None or metric.window_start or metric.by_event:
                continue
            if metric.kind not in (*_SUMMED, *_SHARES):
                continue
            adds_up = definitions.measures[metric.numerator].agg in _ADDITIVE and metric.denominator is None
            if adds_up and metric.window_end.days >= _LEAST_DAYS:
                yield (
                    experiment.id,
                    experiment.unit,
                    metric.name,
                    metric.numerator,
                    metric.window_end.days,
                    metric.kind in _SHARES,
                )
