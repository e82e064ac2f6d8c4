{{ config(
    materialized='replace',
    days='outstanding_days',
    scope='whole_table',
    meta={'shards': 'added', 'sums': ['events', 'with_user_id', 'with_anonymous_id', 'without_unit_id']}
) }}
select
    event_day,
    coalesce(filtered_by, 'kept') as filter,
    count(*) as events,
    count(user_id) as with_user_id,
    count(anonymous_id) as with_anonymous_id,
    count(case when user_id is null and anonymous_id is null then 1 end) as without_unit_id
from {{ ref('base_events') }}
where event_day = {{ the_day() }} and {{ of_this_shard("'user'") }}
group by event_day, filtered_by
