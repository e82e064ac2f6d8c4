{{ config(materialized='table', meta={'shards': 'added', 'sums': ['units']}) }}
-- A held-out unit leaks from the first day on which it is both seen as held out and known to be served what the holdout
-- covers: by an exposure that should not be, or one after the end, when what was shipped is served and no exposure counts.
with
measuring as (
    select experiments.experiment_id, experiments.holdout_id, variants.variant_id
    from {{ source('catalog', 'experiments') }} as experiments
    inner join {{ source('catalog', 'variants') }} as variants
        on experiments.experiment_id = variants.experiment_id and variants.is_control
    where experiments.holdout_id is not null
),

covered as (
    select distinct
        measuring.experiment_id as measuring_id,
        holdouts.experiment_id,
        experiments.sdk,
        experiments.end_at,
        holdouts.salt,
        holdouts.shards,
        coalesce(holdouts.start_at, timestamp '-infinity') as from_at,
        coalesce(holdouts.end_at, timestamp 'infinity') as to_at
    from measuring
    inner join {{ source('catalog', 'holdouts') }} as holdouts on measuring.holdout_id = holdouts.holdout_id
    inner join {{ source('catalog', 'experiments') }} as experiments
        on holdouts.experiment_id = experiments.experiment_id
),

served as (
    select covered.measuring_id, assignments.unit_id, cast(min(assignments.assigned_at) as date) as day
    from {{ ref('fct_assignments') }} as assignments
    inner join covered on assignments.experiment_id = covered.experiment_id
    where assignments.reason = 'holdout'
    group by covered.measuring_id, assignments.unit_id
    union all
    select covered.measuring_id, {{ linked_unit('events') }}, min(events.event_day)
    from {{ ref('int_exposure_events') }} as events
    inner join covered
        on events.experiment_id = covered.experiment_id
            and events.occurred_at >= greatest(covered.end_at, covered.from_at)
            and events.occurred_at < covered.to_at
    inner join {{ source('catalog', 'variants') }} as variants
        on events.experiment_id = variants.experiment_id
            and events.variant_id = variants.variant_id
            and not variants.is_control
    {{ join_links('events') }}
    where events.rejected = 'outside_period'
        and family_shard(covered.sdk, covered.salt, events.raw_id) < covered.shards
    group by covered.measuring_id, {{ linked_unit('events') }}
),

leaked as (
    select measuring_id, unit_id, min(day) as day
    from served
    group by measuring_id, unit_id
)

select
    exposures.experiment_id,
    greatest(exposures.exposure_day, leaked.day) as day,
    count(*) as units
from leaked
inner join measuring on leaked.measuring_id = measuring.experiment_id
inner join {{ ref('fct_exposures') }} as exposures
    on measuring.experiment_id = exposures.experiment_id
        and measuring.variant_id = exposures.variant_id
        and leaked.unit_id = exposures.unit_id
group by exposures.experiment_id, greatest(exposures.exposure_day, leaked.day)
