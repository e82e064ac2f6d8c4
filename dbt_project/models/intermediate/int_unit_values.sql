{{ config(
    materialized='replace',
    key=['experiment_id', 'unit_id', 'metric'],
    scope='value_scope',
    partition_by='day',
    on_change='note_partitions',
    meta={'shards': 'kept'}
) }}
-- depends_on: {{ ref('stg_events') }}
-- depends_on: {{ ref('int_identity_links') }}
{% set measures = additive_measures() %}
{% set metrics = metric_definitions() | rejectattr('end', 'none') | list %}
with
sides as (
    select
        scope_row, unit_id, unit_type, true as is_post,
        exposed_at + to_microseconds(window_start) as from_at,
        exposed_at + to_microseconds(window_end) as to_at
    from {{ ref('int_value_scope') }}
    union all
    select
        scope_row, unit_id, unit_type, false,
        exposed_at - to_days(cuped_days), exposed_at
    from {{ ref('int_value_scope') }}
    where cuped_days > 0
),

-- Days strictly inside a window come from the unit-day sums; its first and last day are counted event by event.
edges as (
    select *, cast(from_at as date) as event_day from sides
    union all
    select *, cast(to_at as date) from sides where cast(to_at as date) > cast(from_at as date)
),

unit_days as (
    select days.* exclude (id_kind, raw_id), {{ linked_unit('days') }} as unit_id
    from {{ ref('int_unit_days') }} as days
    {{ join_links('days') }}
    where days.event_day <= {{ frontier_after() }}{{ inner_days() }}
),

edge_events as (
    select events.* exclude (id_kind, raw_id), {{ linked_unit('events') }} as unit_id
    from (
        {{ measured_events('events.event_day <= ' ~ frontier_after() ~ edge_days()) }}
    ) as events
    {{ join_links('events') }}
),

contributions as (
    select
        sides.scope_row, sides.is_post
        {%- for measure in measures %}, unit_days.{{ measure.name }}{% endfor %}
    from sides
    inner join unit_days
        on sides.unit_type = unit_days.unit_type
            and sides.unit_id = unit_days.unit_id
            and unit_days.event_day > cast(sides.from_at as date)
            and unit_days.event_day < cast(sides.to_at as date)
    union all
    select
        edges.scope_row, edges.is_post
        {%- for measure in measures %}, edge_events.{{ measure.name }}{% endfor %}
    from edges
    inner join edge_events
        on edges.unit_type = edge_events.unit_type
            and edges.unit_id = edge_events.unit_id
            and edges.event_day = edge_events.event_day
            and edge_events.occurred_at >= edges.from_at
            and edge_events.occurred_at < edges.to_at
),

sums as (
    select
        scope_row
        {%- for measure in measures %},
        coalesce(sum({{ measure.name }}) filter (is_post), 0) as {{ measure.name }},
        coalesce(sum({{ measure.name }}) filter (not is_post), 0) as {{ measure.name }}__pre
        {%- endfor %}
    from contributions
    group by scope_row
),

additive as (
    select scope_row, value.*
    from (
        select
            scope_row,
            unnest([
                {%- for metric in metrics if not metric.by_event %}
                {{ unit_value_struct(metric) }}{{ ',' if not loop.last }}
                {%- else %}
                {metric: '', y: cast(0 as hugeint), d: cast(0 as hugeint), x: cast(0 as hugeint), w: cast(0 as hugeint), h: cast(0 as hugeint)}
                {%- endfor %}
            ]) as value
        from sums
    )
    where value.y <> 0 or value.d <> 0 or value.x <> 0 or value.w <> 0 or value.h <> 0
),

{{ event_level_values(metrics) }},

combined as (
    select * from additive
    {%- for metric in metrics if metric.by_event %}
    union all
    select * from values_of_{{ metric.name }}
    {%- endfor %}
)

select
    scope.experiment_id,
    scope.unit_id,
    combined.metric,
    scope.entry_day as day,
    scope.window_start,
    scope.window_end,
    scope.variant_id,
    scope.second_arm_at,
    scope.phase,
    scope.segments,
    combined.y,
    case when windows.scale_d is not null then combined.d end as d,
    case when windows.covariate_status = 'ok' then combined.x end as x,
    case when windows.covariate_status = 'ok' and windows.scale_d is not null then combined.w end as w,
    combined.h,
    {{ magnitude(['combined.y', 'combined.d', 'combined.x', 'combined.w']) }} as magnitude
from combined
inner join {{ ref('int_value_scope') }} as scope
    on combined.scope_row = scope.scope_row
inner join {{ ref('int_metric_windows') }} as windows
    on scope.experiment_id = windows.experiment_id
        and combined.metric = windows.metric
        and scope.window_start = windows.window_start
        and scope.window_end = windows.window_end
where combined.y <> 0
    or combined.h <> 0
    or (windows.scale_d is not null and combined.d <> 0)
    or (windows.covariate_status = 'ok' and (combined.x <> 0 or (windows.scale_d is not null and combined.w <> 0)))
