{{ config(materialized='replace', days='outstanding_days', scope='whole_table') }}
select
    event_day,
    cast(extract(hour from occurred_at) as integer) as hour,
    count(*) as events
from {{ ref('stg_events') }}
where event_day = {{ the_day() }}
group by event_day, extract(hour from occurred_at)
