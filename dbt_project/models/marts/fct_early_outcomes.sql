{{ config(
    materialized='replace',
    key=['experiment_id', 'variant_id', 'exposure_day'],
    scope='early_outcome_scope',
    partition_by='exposure_day'
) }}
{% set measures = primary_conversions() %}
-- The exposure's own day only: a session that crosses midnight would make each day depend on two.
with
asked as (
    select used.experiment_id, metrics.measure_y as measure
    from {{ source('catalog', 'experiment_metrics') }} as used
    inner join {{ source('catalog', 'metrics') }} as metrics on used.metric = metrics.metric
    where used.role = 'primary' and metrics.kind = 'proportion'
),

outcomes as (
    {%- for measure in measures %}
    select session_id, '{{ measure.name }}' as measure, event_day, occurred_at
    from {{ ref('stg_events') }}
    where session_id is not null
        and {{ in_changed_days('event_day') }}
        and {{ scaled_value(measure) }} > 0
    {{ 'union all' if not loop.last }}
    {%- else %}
    select session_id, '' as measure, event_day, occurred_at from {{ ref('stg_events') }} where false
    {%- endfor %}
),

firsts as (
    select session_id, measure, event_day, min(occurred_at) as first_at
    from outcomes
    group by session_id, measure, event_day
)

select
    exposures.experiment_id,
    exposures.variant_id,
    exposures.exposure_day,
    count(*) as units,
    count(*) filter (where firsts.first_at < exposures.exposed_at) as early
from (
    select * from {{ ref('fct_exposures') }} where {{ in_scope(early_outcome_scope()) }}
) as exposures
inner join asked on exposures.experiment_id = asked.experiment_id
inner join firsts
    on exposures.session_id = firsts.session_id
        and exposures.exposure_day = firsts.event_day
        and asked.measure = firsts.measure
group by exposures.experiment_id, exposures.variant_id, exposures.exposure_day
