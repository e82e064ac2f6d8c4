{{ config(materialized='view', meta={'shards': 'added', 'sums': ['units', 'events']}) }}
-- Beside what was lost, the units that came so far: a duplicate event is no second unit, and so leaves no trace.
with
logged as (
    select experiment_id, variant_id, 'landed' as step, id_kind, raw_id, event_day
    from {{ ref('int_exposure_events') }}
    where raw_id is not null
    union all
    select experiment_id, variant_id, 'assigned', id_kind, raw_id, event_day
    from {{ ref('int_exposure_events') }}
    where rejected is null
),

unit_days as (
    select experiment_id, variant_id, step, id_kind, raw_id, event_day, count(*) as events
    from logged
    group by experiment_id, variant_id, step, id_kind, raw_id, event_day
),

dated as (
    select
        *,
        min(event_day) over (partition by experiment_id, variant_id, step, id_kind, raw_id) as first_day
    from unit_days
)

select
    experiment_id,
    variant_id,
    step,
    event_day,
    count(*) filter (where event_day = first_day) as units,
    cast(sum(events) as bigint) as events
from dated
group by experiment_id, variant_id, step, event_day
