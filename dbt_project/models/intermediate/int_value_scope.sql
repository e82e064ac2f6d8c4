{{ config(meta={'shards': 'kept'}) }}
-- The unit values to compute in this run: experiment × unit × closed window. `scope_row` stands for the three in what joins.
{% set reset = is_reset() %}
{% set only_closing = only_new_days() %}
with
windows as (
    select
        experiment_id, unit_type, window_start, window_end, max(cuped_days) as cuped_days,
        bool_or(experiment_id in (select c.experiment_id from work.changed_experiments as c)
            or metric in (select c.metric from work.changed_metrics as c)) as is_redefined
    from {{ ref('int_metric_windows') }}
    where not is_open
    group by experiment_id, unit_type, window_start, window_end
),

closed as (
    select
        exposures.experiment_id,
        exposures.unit_id,
        exposures.variant_id,
        exposures.exposed_at,
        exposures.second_arm_at,
        coalesce(exposures.phase, -1) as phase,
        exposures.segments,
        windows.* exclude (experiment_id),
        -- Half-open: a window that ends at midnight closes with the day before.
        cast(exposures.exposed_at + to_microseconds(windows.window_end - 1) as date) as entry_day
    from {{ ref('fct_exposures') }} as exposures
    inner join windows using (experiment_id)
    where cast(exposures.exposed_at + to_microseconds(windows.window_end - 1) as date) <= {{ frontier_after() }}
        {%- if only_closing %}
        and exposures.exposure_day in ({{ closing_days() }})
        {%- else %}
        and {{ recent_exposures('exposures.exposure_day') }}
        {%- endif %}
)
{%- if not only_closing %},

touched as (
    {% for unit_type in ['user', 'anonymous', 'session'] -%}
    select distinct touched.event_day, touched.unit_type, {{ linked_unit('touched') }} as unit_id
    from (
        select event_day, '{{ unit_type }}' as unit_type, id_kind, raw_id
        from landing.touched_units
        where event_day <= {{ frontier_before() }}
            and id_kind in ({{ "'user', 'anonymous'" if unit_type == 'user' else "'" ~ unit_type ~ "'" }})
    ) as touched
    {{ join_links('touched') }}
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

late as (
    select distinct closed.experiment_id, closed.unit_id, closed.window_start, closed.window_end
    from closed
    inner join touched using (unit_type, unit_id)
    where touched.event_day between cast(closed.exposed_at + to_microseconds(closed.window_start) as date)
            and cast(closed.exposed_at + to_microseconds(closed.window_end) as date)
        or (
            closed.cuped_days > 0
            and touched.event_day between cast(closed.exposed_at - to_days(closed.cuped_days) as date)
                and cast(closed.exposed_at as date)
        )
)
{%- endif %}

select * exclude (is_redefined), row_number() over () as scope_row
from closed
{%- if only_closing %}
where entry_day > {{ frontier_before() }}
{%- else %}
where {{ reset }}
    or entry_day > {{ frontier_before() }}
    or is_redefined
    or (experiment_id, unit_id) in (select c.experiment_id, c.unit_id from work.changed_exposures as c)
    or (unit_type = 'user' and unit_id in (select moved.unit_id from work.moved_units as moved))
    or (experiment_id, unit_id, window_start, window_end) in (
        select late.experiment_id, late.unit_id, late.window_start, late.window_end from late
    )
{%- endif %}
