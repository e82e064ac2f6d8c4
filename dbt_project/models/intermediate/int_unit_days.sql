{{ config(
    materialized='replace',
    days='outstanding_days',
    scope='touched_on_day',
    rebuilds_with_measures=true,
    meta={'shards': 'kept'}
) }}
-- depends_on: {{ ref('stg_events') }}
select
    {{ the_day() }} as event_day,
    unit_type,
    id_kind,
    raw_id
    {%- for measure in additive_measures() %},
    cast(sum({{ measure.name }}) as hugeint) as {{ measure.name }}
    {%- endfor %}
from (
    {{ measured_events('events.event_day = ' ~ the_day()) }}
) as events
where {{ is_touched('id_kind', 'raw_id') }}
group by unit_type, id_kind, raw_id
