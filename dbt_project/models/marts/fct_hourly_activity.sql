{{ config(
    materialized='replace',
    days='outstanding_days',
    scope='whole_table',
    meta={'shards': 'added', 'sums': ['events']}
) }}
select
    event_day,
    cast(extract(hour from occurred_at) as integer) as hour,
    count(*) as events
from {{ ref('stg_events') }}
where event_day = {{ the_day() }} and {{ of_this_shard("'user'") }}
group by event_day, extract(hour from occurred_at)
