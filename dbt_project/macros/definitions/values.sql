{#- From the sums of one unit's window to the value of each metric. -#}

{%- macro measure_value(metric, column) -%}
  {%- if metric.kind in ('proportion', 'retention') -%}
    cast({{ column }} > 0 as hugeint)
  {%- else -%}
    cast({{ column }} as hugeint)
  {%- endif -%}
{%- endmacro -%}


{%- macro unit_value_struct(metric) -%}
  {#- y numerator, d denominator, x and w the same before exposure, h what a histogram counts. -#}
  {metric: '{{ metric.name }}',
   y: {{ measure_value(metric, metric.y.name) }},
   d: {{ ('cast(' ~ metric.d.name ~ ' as hugeint)') if metric.d else 'cast(0 as hugeint)' }},
   x: {{ measure_value(metric, metric.y.name ~ '__pre') }},
   w: {{ ('cast(' ~ metric.d.name ~ '__pre as hugeint)') if metric.d else 'cast(0 as hugeint)' }},
   h: {{ measure_value(metric, metric.y.name) if metric.histogram else 'cast(0 as hugeint)' }}}
{%- endmacro -%}


{#- One CTE per metric that needs the single events: distinct counts, ordered funnels, conversions and times to them. -#}
{%- macro event_level_values(metrics) -%}
measure_events as (
    select
        scope.scope_row, scope.exposed_at, events.measure, events.occurred_at, events.item
    from {{ ref('int_value_scope') }} as scope
    inner join (
        select events.*, {{ linked_unit('events') }} as unit_id
        from {{ ref('int_measure_events') }} as events
        {{ join_links('events') }}
        where events.event_day <= {{ frontier_after() }}
    ) as events
        on scope.unit_type = events.unit_type
            and scope.unit_id = events.unit_id
            and events.occurred_at >= scope.exposed_at + to_microseconds(scope.window_start)
            and events.occurred_at < scope.exposed_at + to_microseconds(scope.window_end)
    where (scope.experiment_id, scope.window_start, scope.window_end) in (
        select w.experiment_id, w.window_start, w.window_end from {{ ref('int_metric_windows') }} as w where w.by_event
    )
)
{%- for metric in metrics if metric.by_event %},

values_of_{{ metric.name }} as (
    select
        scope_row, '{{ metric.name }}' as metric,
        {% if metric.before -%}
        cast(count(*) filter (measure = '{{ metric.y.name }}' and {{ followed(metric) }}) as hugeint) as y,
        {{ "cast(count(*) filter (measure = '" ~ metric.before.name ~ "') as hugeint)" if metric.d else 'cast(0 as hugeint)' }} as d,
        cast(0 as hugeint) as x, cast(0 as hugeint) as w, cast(0 as hugeint) as h
        {%- elif metric.kind == 'count_distinct' -%}
        cast(count(distinct item) as hugeint) as y, cast(0 as hugeint) as d, cast(0 as hugeint) as x, cast(0 as hugeint) as w, cast(0 as hugeint) as h
        {%- elif metric.kind == 'time_to_conversion' -%}
        cast(epoch_us(min(occurred_at)) - epoch_us(min(exposed_at)) as hugeint) as y, 1::hugeint as d,
        cast(0 as hugeint) as x, cast(0 as hugeint) as w, cast(0 as hugeint) as h
        {%- else -%}
        cast(step_{{ metric.steps | length }} is not null as hugeint) as y, cast(0 as hugeint) as d,
        cast(0 as hugeint) as x, cast(0 as hugeint) as w,
        cast({% for step in metric.steps %}cast(step_{{ loop.index }} is not null as int){{ ' + ' if not loop.last }}{% endfor %} as hugeint) as h
        {%- endif %}
    from {% if metric.before %}(
        select
            *,
            max(occurred_at) filter (measure = '{{ metric.before.name }}') over (
                partition by scope_row order by occurred_at
                range between unbounded preceding and current row
            ) as last_before_at
        from measure_events where measure in ('{{ metric.before.name }}', '{{ metric.y.name }}')
    ){% elif metric.kind != 'funnel' %}measure_events where measure = '{{ metric.y.name }}'{% else %}(
        select
            scope_row,
            {%- for step in metric.steps %}
            {% if loop.first -%}
            min(occurred_at) filter (measure = '{{ step.name }}') as step_1
            {%- else -%}
            {#- The first event of this step that is not before the step before it. -#}
            list_min(list_filter(list(occurred_at) filter (measure = '{{ step.name }}'),
                lambda one: one >= step_{{ loop.index - 1 }})) as step_{{ loop.index }}
            {%- endif %}{{ ',' if not loop.last }}
            {%- endfor %}
        from measure_events
        group by scope_row
    ){% endif %}
    {{ 'group by scope_row' if metric.kind != 'funnel' }}
)
{%- endfor %}
{%- endmacro -%}


{#- Whether a base event of the unit came before the event, shortly enough; the same instant counts. -#}
{%- macro followed(metric) -%}
  last_before_at {{ 'is not null' if metric.within is none else '> occurred_at - to_microseconds(' ~ metric.within ~ ')' }}
{%- endmacro -%}


{#- Narrow the lake scan to the first and last days of the windows in this run. -#}
{%- macro edge_days() -%}
  {%- if not can_query() -%}{{- return('') -}}{%- endif -%}
  {{- return(' and events.event_day in (' ~ day_literals("
    select distinct unnest([
      cast(exposed_at + to_microseconds(window_start) as date), cast(exposed_at + to_microseconds(window_end) as date),
      cast(exposed_at - to_days(cuped_days) as date), cast(exposed_at as date)])
    from " ~ ref('int_value_scope')) ~ ')') -}}
{%- endmacro -%}


{%- macro open_edge_days() -%}
  {%- if not can_query() -%}{{- return('') -}}{%- endif -%}
  {{- return(' and events.event_day in (' ~ day_literals("
    select distinct unnest([cast(exposed_at as date), cast(exposed_at - to_days(cuped_days) as date)])
    from " ~ ref('int_open_scope')) ~ ')') -}}
{%- endmacro -%}


{#- The days strictly inside the windows of this run, where unit-day sums are wanted. -#}
{%- macro inner_days() -%}
  {%- if not can_query() or is_reset() -%}{{- return('') -}}{%- endif -%}
  {{- return(' and days.event_day in (' ~ day_literals("
    select distinct unnest(generate_series(from_day + 1, to_day - 1, interval 1 day))::date
    from (
      select distinct cast(exposed_at + to_microseconds(window_start) as date) as from_day,
        cast(exposed_at + to_microseconds(window_end) as date) as to_day from " ~ ref('int_value_scope') ~ "
      union
      select distinct cast(exposed_at - to_days(cuped_days) as date), cast(exposed_at as date)
      from " ~ ref('int_value_scope') ~ " where cuped_days > 0
    )") ~ ')') -}}
{%- endmacro -%}
