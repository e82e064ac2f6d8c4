{{ config(materialized='replace', days='outstanding_days', scope='touched_link_days', meta={'shards': 'kept'}) }}
select
    event_day,
    anonymous_id,
    arg_min(user_id, (occurred_at, event_id)) as user_id,
    min((occurred_at, event_id)) as linked
from {{ ref('stg_events') }}
where event_day = {{ the_day() }}
    and user_id is not null
    and anonymous_id is not null
    and {{ is_touched("'anonymous'", 'anonymous_id') }}
group by event_day, anonymous_id
