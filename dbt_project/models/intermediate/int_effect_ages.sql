{{ config(
    materialized='replace',
    key=['experiment_id', 'metric', 'variant_id', 'exposure_day'],
    scope='effect_age_scope',
    partition_by='exposure_day',
    meta={'shards': 'added', 'sums': ['n', 'active', 'sum_y', 'sum_d', 'sum_yy', 'sum_yd', 'sum_dd', 'large']}
) }}
-- depends_on: {{ source('catalog', 'experiment_metrics') }}
-- depends_on: {{ source('catalog', 'experiments') }}
-- depends_on: {{ source('catalog', 'metrics') }}
-- depends_on: {{ source('catalog', 'measures') }}
-- depends_on: {{ ref('stg_events') }}
-- depends_on: {{ ref('int_unit_days') }}
-- depends_on: {{ ref('int_identity_links') }}
{% set asked = measures_by_age() %}
{% set days = aged_days() %}
with
asked as (
    {{ asked_by_age() }}
),

exposed as (
    select
        exposures.experiment_id,
        exposures.unit_id,
        exposures.variant_id,
        exposures.exposed_at,
        exposures.exposure_day,
        exposures.exposure_day + asked.span - 1 as known_day,
        asked.metric,
        asked.measure,
        asked.span,
        asked.is_share,
        asked.unit_type
    from {{ ref('fct_exposures') }} as exposures
    inner join asked on exposures.experiment_id = asked.experiment_id
    where exposures.exposure_day + asked.span - 1 <= {{ frontier_after() }}
        {%- if days is not none %}
        and exposures.exposure_day in ({{ days }})
        {%- endif %}
),

-- The exposure's day counts from the exposure on, event by event; the days after it are whole unit-days, up to the day
-- before the one on which the window ends.
acts as (
    {%- for one in asked %}
    select
        '{{ one.unit_type }}' as unit_type,
        '{{ one.measure.name }}' as measure,
        {{ linked_unit('unit_days') }} as unit_id,
        unit_days.event_day,
        cast(null as timestamp) as occurred_at,
        unit_days.{{ adapter.quote(one.measure.name) }} as value
    from (
        select * from {{ ref('int_unit_days') }}
        where unit_type = '{{ one.unit_type }}' and {{ adapter.quote(one.measure.name) }} <> 0
    ) as unit_days
    {{ join_links('unit_days') }}
    {%- if days is not none %}
    where unit_days.event_day > (select min(exposure_day) from exposed)
        and unit_days.event_day <= (select max(known_day) from exposed)
    {%- endif %}
    union all
    select
        events.unit_type,
        '{{ one.measure.name }}',
        {{ linked_unit('events') }},
        events.event_day,
        events.occurred_at,
        events.value
    from (
        select
            events.event_day,
            events.occurred_at,
            '{{ one.unit_type }}' as unit_type,
            {{ raw_kind(one.unit_type) }} as id_kind,
            {{ raw_id(one.unit_type) }} as raw_id,
            {{ scaled_value(one.measure) }} as value
        from {{ ref('stg_events') }} as events
        where {{ event_worth(one.measure) }} is not null
            {%- if days is not none %}
            and events.event_day in ({{ days }})
            {%- endif %}
    ) as events
    {{ join_links('events') }}
    {{ 'union all' if not loop.last }}
    {%- else %}
    select
        '' as unit_type,
        '' as measure,
        '' as unit_id,
        cast(null as date) as event_day,
        cast(null as timestamp) as occurred_at,
        cast(0 as hugeint) as value
    where false
    {%- endfor %}
),

by_age as (
    select
        exposed.experiment_id,
        exposed.metric,
        exposed.variant_id,
        exposed.exposure_day,
        exposed.unit_id,
        exposed.span,
        exposed.is_share,
        acts.event_day - exposed.exposure_day as age,
        sum(acts.value) as value
    from exposed
    inner join acts
        on exposed.measure = acts.measure
            and exposed.unit_type = acts.unit_type
            and exposed.unit_id = acts.unit_id
            and acts.event_day >= exposed.exposure_day
            and acts.event_day < exposed.exposure_day + exposed.span
            and if(
                acts.event_day = exposed.exposure_day,
                acts.occurred_at >= exposed.exposed_at,
                acts.occurred_at is null
            )
    group by all
),

-- Of a share, a unit-day counts at most once.
counted as (
    select * replace (if(is_share, least(value, 1), value) as value), (span - 1) // 2 as half
    from by_age
),

halves as (
    select
        experiment_id,
        metric,
        variant_id,
        exposure_day,
        unit_id,
        coalesce(sum(value) filter (where age >= span - half), 0) as y,
        coalesce(sum(value) filter (where age >= span - half or age <= half), 0) as d
    from counted
    group by experiment_id, metric, variant_id, exposure_day, unit_id
),

sums as (
    select
        experiment_id,
        metric,
        variant_id,
        exposure_day,
        count(*) filter (where d <> 0) as active,
        sum(y) as sum_y,
        sum(d) as sum_d,
        sum(if(is_large, 0, y * y)) as sum_yy,
        sum(if(is_large, 0, y * d)) as sum_yd,
        sum(if(is_large, 0, d * d)) as sum_dd,
        count(*) filter (is_large) as large
    -- 10^8 units of a worth up to 10^9 each fit 128 bits.
    from (select *, {{ magnitude(['y', 'd']) }} > 10000000000 as is_large from halves)
    group by experiment_id, metric, variant_id, exposure_day
),

units as (
    select
        experiment_id,
        metric,
        variant_id,
        exposure_day,
        known_day,
        count(*) as n
    from exposed
    where {{ in_scope(effect_age_scope()) }}
    group by experiment_id, metric, variant_id, exposure_day, known_day
)

select
    units.experiment_id,
    units.metric,
    units.variant_id,
    units.exposure_day,
    units.known_day,
    units.n,
    coalesce(sums.active, 0) as active
    {%- for moment in ['sum_y', 'sum_d', 'sum_yy', 'sum_yd', 'sum_dd'] %},
    cast(coalesce(sums.{{ moment }}, 0) as hugeint) as {{ moment }}
    {%- endfor %},
    coalesce(sums.large, 0) as large
from units
left join sums
    on units.experiment_id = sums.experiment_id
        and units.metric = sums.metric
        and units.variant_id = sums.variant_id
        and units.exposure_day = sums.exposure_day
