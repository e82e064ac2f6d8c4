{{ config(
    materialized='replace',
    key=['experiment_id', 'variant_id', 'exposure_day'],
    scope='early_outcome_scope',
    partition_by='exposure_day',
    meta={'shards': 'added', 'sums': ['units', 'early']}
) }}
-- depends_on: {{ ref('int_identity_links') }}
{% set measures = primary_conversions() %}
-- The exposure's own day only: a session that crosses midnight would make each day depend on two.
with
asked as (
    select used.experiment_id, experiments.unit_type, metrics.measure_y as measure
    from {{ source('catalog', 'experiment_metrics') }} as used
    inner join {{ source('catalog', 'experiments') }} as experiments on used.experiment_id = experiments.experiment_id
    inner join {{ source('catalog', 'metrics') }} as metrics on used.metric = metrics.metric
    where used.role = 'primary' and metrics.kind = 'proportion'
),

-- Of the unit itself: who else used the session has an exposure of his own.
outcomes as (
    {%- for unit_type in unit_types() %}
    {%- set unit_loop = loop %}
    {%- for measure in measures %}
    select
        events.unit_type, {{ linked_unit('events') }} as unit_id, events.session_id, '{{ measure.name }}' as measure,
        events.event_day, events.occurred_at
    from (
        select
            '{{ unit_type }}' as unit_type, {{ raw_kind(unit_type) }} as id_kind, {{ raw_id(unit_type) }} as raw_id,
            events.session_id, events.event_day, events.occurred_at
        from {{ ref('stg_events') }} as events
        where events.session_id is not null
            and {{ in_early_outcome_days('events.event_day') }}
            and {{ scaled_value(measure) }} > 0
    ) as events
    {{ join_links('events') }}
    {{ 'union all' if not (loop.last and unit_loop.last) }}
    {%- endfor %}
    {%- endfor %}
    {%- if not measures %}
    select
        '' as unit_type, '' as unit_id, session_id, '' as measure, event_day, occurred_at
    from {{ ref('stg_events') }} where false
    {%- endif %}
),

firsts as (
    select unit_type, unit_id, session_id, measure, event_day, min(occurred_at) as first_at
    from outcomes
    group by unit_type, unit_id, session_id, measure, event_day
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
        and exposures.unit_id = firsts.unit_id
        and asked.unit_type = firsts.unit_type
        and asked.measure = firsts.measure
group by exposures.experiment_id, exposures.variant_id, exposures.exposure_day
