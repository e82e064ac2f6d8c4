{{ config(
    materialized='replace',
    key=['experiment_id', 'unit_id', 'metric', 'day'],
    scope='open_value_scope',
    partition_by='day',
    on_change='note_partitions',
    meta={'shards': 'kept'}
) }}
-- depends_on: {{ ref('stg_events') }}
-- depends_on: {{ ref('int_identity_links') }}
{% set measures = additive_measures() %}
{% set metrics = metric_definitions() | selectattr('end', 'none') | list %}
with
scope as (
    select * from {{ ref('int_open_scope') }}
),

unit_days as (
    select days.* exclude (id_kind, raw_id), {{ linked_unit('days') }} as unit_id
    from {{ ref('int_unit_days') }} as days
    {{ join_links('days') }}
    where {{ metrics | length > 0 }} and days.event_day <= {{ frontier_after() }}
),

edge_events as (
    select events.* exclude (id_kind, raw_id), {{ linked_unit('events') }} as unit_id
    from (
        {{ measured_events((metrics | length > 0) ~ ' and events.event_day <= ' ~ frontier_after() ~ open_edge_days()) }}
    ) as events
    {{ join_links('events') }}
),

contributions as (
    select
        scope.experiment_id, scope.unit_id, true as is_post, unit_days.event_day
        {%- for measure in measures %}, unit_days.{{ measure.name }}{% endfor %}
    from scope
    inner join unit_days
        on scope.unit_type = unit_days.unit_type
            and scope.unit_id = unit_days.unit_id
            and unit_days.event_day > cast(scope.exposed_at as date)
    union all
    select
        scope.experiment_id, scope.unit_id, false, null
        {%- for measure in measures %}, unit_days.{{ measure.name }}{% endfor %}
    from scope
    inner join unit_days
        on scope.unit_type = unit_days.unit_type
            and scope.unit_id = unit_days.unit_id
            and unit_days.event_day > cast(scope.exposed_at - to_days(scope.cuped_days) as date)
            and unit_days.event_day < cast(scope.exposed_at as date)
    where scope.cuped_days > 0
    union all
    -- The exposure day counts after exposure from its instant on, before exposure up to it.
    select
        scope.experiment_id, scope.unit_id, events.occurred_at >= scope.exposed_at,
        case when events.occurred_at >= scope.exposed_at then events.event_day end
        {%- for measure in measures %}, events.{{ measure.name }}{% endfor %}
    from scope
    inner join edge_events as events
        on scope.unit_type = events.unit_type
            and scope.unit_id = events.unit_id
            and events.event_day = cast(scope.exposed_at as date)
    where events.occurred_at >= scope.exposed_at or scope.cuped_days > 0
    union all
    select
        scope.experiment_id, scope.unit_id, false, null
        {%- for measure in measures %}, events.{{ measure.name }}{% endfor %}
    from scope
    inner join edge_events as events
        on scope.unit_type = events.unit_type
            and scope.unit_id = events.unit_id
            and events.event_day = cast(scope.exposed_at - to_days(scope.cuped_days) as date)
            and events.occurred_at >= scope.exposed_at - to_days(scope.cuped_days)
    where scope.cuped_days > 0
),

before as (
    select
        experiment_id, unit_id
        {%- for measure in measures %}, sum({{ measure.name }}) as {{ measure.name }}__pre{% endfor %}
    from contributions
    where not is_post
    group by experiment_id, unit_id
),

-- Days with events, and the exposure day as the day of entry.
days as (
    select
        experiment_id, unit_id, event_day as day
        {%- for measure in measures %}, sum({{ measure.name }}) as {{ measure.name }}{% endfor %}
    from (
        select experiment_id, unit_id, event_day
            {%- for measure in measures %}, {{ measure.name }}{% endfor %}
        from contributions where is_post
        union all
        select experiment_id, unit_id, cast(exposed_at as date)
            {%- for measure in measures %}, 0{% endfor %}
        from scope
    )
    group by experiment_id, unit_id, event_day
),

running as (
    select
        days.experiment_id, days.unit_id, days.day
        {%- for measure in measures %},
        sum(days.{{ measure.name }}) over so_far as {{ measure.name }},
        coalesce(before.{{ measure.name }}__pre, 0) as {{ measure.name }}__pre
        {%- endfor %}
    from days
    left join before using (experiment_id, unit_id)
    window so_far as (partition by experiment_id, unit_id order by day)
),

valued as (
    select experiment_id, unit_id, day, value.*
    from (
        select
            experiment_id, unit_id, day,
            unnest([
                {%- for metric in metrics %}
                {{ unit_value_struct(metric) }}{{ ',' if not loop.last }}
                {%- else %}
                {metric: '', y: cast(0 as hugeint), d: cast(0 as hugeint), x: cast(0 as hugeint), w: cast(0 as hugeint), h: cast(0 as hugeint)}
                {%- endfor %}
            ]) as value
        from running
    )
),

series as (
    select
        valued.experiment_id,
        valued.unit_id,
        valued.metric,
        valued.day,
        valued.day = cast(scope.exposed_at as date) as is_entry,
        scope.variant_id,
        scope.second_arm_at,
        scope.phase,
        scope.segments,
        valued.y,
        coalesce(lag(valued.y) over steps, 0) as y_before,
        case when windows.scale_d is not null then valued.d end as d,
        case when windows.scale_d is not null then coalesce(lag(valued.d) over steps, 0) end as d_before,
        case when windows.covariate_status = 'ok' then valued.x end as x,
        case when windows.covariate_status = 'ok' and windows.scale_d is not null then valued.w end as w
    from valued
    inner join {{ ref('int_metric_windows') }} as windows using (experiment_id, metric)
    inner join scope using (experiment_id, unit_id)
    where windows.is_open
    window steps as (partition by valued.experiment_id, valued.unit_id, valued.metric order by valued.day)
)

select *, {{ magnitude(['y', 'y_before', 'd', 'd_before', 'x', 'w']) }} as magnitude
from series
where y <> y_before
    or (d is not null and d <> d_before)
    or (is_entry and (coalesce(x, 0) <> 0 or coalesce(w, 0) <> 0))
