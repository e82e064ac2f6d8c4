{{ config(materialized='view') }}
-- Units count on the first day on which they were lost at a step, events on their own day: so the rows up to any
-- cut-off add up to what was lost by then.
with
per_unit as (
    select
        experiment_id,
        variant_id,
        rejected as step,
        id_kind,
        raw_id,
        event_day,
        count(*) as events
    from {{ ref('int_exposure_events') }}
    where rejected is not null
    group by all
),

first_days as (
    select
        *,
        event_day = min(event_day) over (partition by experiment_id, variant_id, step, id_kind, raw_id) as is_first
    from per_unit
)

select
    experiment_id,
    variant_id,
    step,
    event_day,
    count(*) filter (where is_first) as units,
    cast(sum(events) as bigint) as events
from first_days
group by experiment_id, variant_id, step, event_day
