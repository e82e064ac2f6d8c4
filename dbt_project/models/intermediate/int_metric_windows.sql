{{ config(meta={'shards': 'everywhere'}) }}
-- One row per experiment × metric that it uses and the semantic layer defines.
{% set metrics = metric_definitions() %}
with
metrics (metric, kind, window_start, window_end, cuped, winsorized, histogram, by_event, scale_y, scale_d) as (
    {% for metric in metrics -%}
    select
        '{{ metric.name }}', '{{ metric.kind }}', cast({{ metric.start }} as bigint),
        cast({{ metric.end if metric.end is not none else 'null' }} as bigint), {{ metric.cuped }},
        {{ metric.winsorize is not none }}, {{ metric.histogram }}, {{ metric.by_event }},
        cast({{ metric.scale_y }} as bigint), cast({{ metric.scale_d if metric.scale_d is not none else 'null' }} as bigint)
    {{ 'union all' if not loop.last }}
    {% else -%}
    select '', '', cast(0 as bigint), cast(0 as bigint), false, false, false, false, cast(1 as bigint), cast(1 as bigint) where false
    {% endfor -%}
),

judged as (
    select
        experiments.experiment_id,
        experiments.unit_type,
        experiments.start_at,
        experiments.end_at,
        experiments.cuped_days as declared_days,
        metrics.*,
        case
            when not metrics.cuped or coalesce(experiments.cuped_days, 0) = 0 then 'not_declared'
            when metrics.by_event or (metrics.histogram and not metrics.winsorized) then 'not_supported'
            when cast(first_day.value as timestamp) > experiments.start_at - to_days(experiments.cuped_days)
                then 'covariate_history_incomplete'
            else 'ok'
        end as covariate_status
    from {{ source('catalog', 'experiments') }} as experiments
    inner join (
        select distinct experiment_id, metric from {{ source('catalog', 'experiment_metrics') }}
    ) as used using (experiment_id)
    inner join metrics using (metric)
    left join {{ source('catalog', 'settings') }} as first_day on first_day.key = 'first_day'
)

select
    experiment_id,
    metric,
    unit_type,
    kind,
    window_start,
    window_end,
    window_end is null as is_open,
    case when covariate_status = 'ok' then declared_days else 0 end as cuped_days,
    covariate_status,
    winsorized,
    histogram,
    by_event,
    scale_y,
    scale_d,
    cast(start_at as date) as first_cut_off,
    -- The last unit may enter just before the end; its longest window closes this day.
    cast(end_at + to_microseconds(coalesce(max(window_end) over (partition by experiment_id), 0)) as date)
        as last_cut_off
from judged
