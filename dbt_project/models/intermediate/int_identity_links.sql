{{ config(
    materialized='replace',
    key=['anonymous_id'],
    scope='touched_anonymous_ids',
    on_change='note_moved_units',
    meta={'shards': 'added', 'sums': []}
) }}
-- depends_on: {{ ref('int_link_days') }}
-- depends_on: {{ ref('int_unit_days') }}
-- depends_on: {{ ref('int_measure_events') }}
-- depends_on: {{ ref('int_exposure_events') }}
select
    anonymous_id,
    arg_min(user_id, linked) as user_id,
    min(linked) as linked
from (
    select anonymous_id, user_id, linked from {{ ref('int_link_days') }}
    union all
    select anonymous_id, user_id, (occurred_at, event_id) from {{ source('work', 'links_of_all_shards') }}
)
where {{ in_scope(touched_anonymous_ids()) }}
group by anonymous_id
