{{ config(
    materialized='replace',
    days='outstanding_days',
    scope='touched_on_day',
    rebuilds_with_measures=true,
    meta={'shards': 'kept'}
) }}
-- depends_on: {{ ref('stg_events') }}
{% for unit_type in unit_types() -%}
select
    event_day,
    '{{ unit_type }}' as unit_type,
    id_kind,
    raw_id,
    occurred_at,
    event_id,
    measured.measure,
    measured.item
from (
    select
        events.event_day,
        events.occurred_at,
        events.event_id,
        {{ raw_kind(unit_type) }} as id_kind,
        {{ raw_id(unit_type) }} as raw_id,
        unnest(list_filter([
            {%- for measure in event_measures() %}
            {measure: {{ text_literal(measure.name) }}, item: cast({{ event_worth(measure) }} as varchar)},
            {%- else %}
            {measure: '', item: cast(null as varchar)}
            {%- endfor %}
        ], lambda one: one.item is not null)) as measured
    from {{ ref('stg_events') }} as events
    where events.event_day = {{ the_day() }} and {{ raw_id(unit_type) }} is not null
) as events
where {{ is_touched('id_kind', 'raw_id') }}
{{ 'union all' if not loop.last }}
{% endfor %}
