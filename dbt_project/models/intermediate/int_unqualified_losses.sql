{{ config(materialized='view', meta={'shards': 'kept'}) }}
-- A unit counts on the first day on which it was lost at a step, and no more from the day on which it is exposed all the
-- same; events count on their own day: so the rows up to any cut-off add up to what was lost by then.
with
rejected as (
    select
        events.*,
        experiments.sdk,
        experiments.traffic_salt,
        coalesce(experiments.assignment, 'hash') = 'hash' as is_hashed,
        variants.variant_id is null as is_undeclared
    from {{ ref('int_exposure_events') }} as events
    left join {{ source('catalog', 'experiments') }} as experiments
        on events.experiment_id = experiments.experiment_id
    left join {{ source('catalog', 'variants') }} as variants
        on events.experiment_id = variants.experiment_id and events.variant_id = variants.variant_id
    where events.rejected is not null
),

-- What names no declared variant stands beside the arm that the configuration in force gave the unit.
per_day as (
    select
        rejected.experiment_id,
        rejected.variant_id,
        arg_min(coalesce(listed.variant_id, weights.variant_id), rejected.occurred_at) as due_variant_id,
        rejected.rejected as step,
        rejected.unit_type,
        rejected.id_kind,
        rejected.raw_id,
        rejected.event_day,
        count(*) as events
    from rejected
    left join {{ source('catalog', 'assigned_units') }} as listed
        on rejected.is_undeclared
            and rejected.experiment_id = listed.experiment_id
            and rejected.raw_id = listed.unit_id
    left join {{ source('catalog', 'phases') }} as phases
        on rejected.is_undeclared
            and rejected.is_hashed
            and rejected.experiment_id = phases.experiment_id
            and phases.leaf is null
            and rejected.occurred_at >= phases.start_at
            and rejected.occurred_at < coalesce(phases.end_at, timestamp 'infinity')
            and (
                phases.band_from is null
                or family_shard(rejected.sdk, rejected.traffic_salt, rejected.raw_id) >= phases.band_from
                and family_shard(rejected.sdk, rejected.traffic_salt, rejected.raw_id) < phases.band_to
            )
    left join {{ source('catalog', 'phase_weights') }} as weights
        on phases.experiment_id = weights.experiment_id
            and phases.phase + {{ leaf_of('phases.leaves', 'rejected.segments') }} = weights.phase
            and family_shard(rejected.sdk, phases.split_salt, rejected.raw_id) >= weights.shard_from
            and family_shard(rejected.sdk, phases.split_salt, rejected.raw_id) < weights.shard_to
    group by all
),

lost as (
    select
        * replace (first_value(due_variant_id) over unit_days as due_variant_id),
        first_value(event_day) over unit_days as first_day
    from per_day
    window
        unit_days as (
            partition by experiment_id, variant_id, step, id_kind, raw_id
            order by event_day
            rows between unbounded preceding and current row
        )
),

counted as (
    select
        experiment_id,
        variant_id,
        due_variant_id,
        step,
        event_day,
        event_day as lost_day,
        if(event_day = first_day, 1, 0) as units,
        events
    from lost
    union all
    select
        lost.experiment_id,
        lost.variant_id,
        lost.due_variant_id,
        lost.step,
        greatest(lost.first_day, exposures.exposure_day) as event_day,
        lost.first_day as lost_day,
        -1 as units,
        0 as events
    from lost
    {{ join_links('lost') }}
    inner join {{ ref('fct_exposures') }} as exposures
        on lost.experiment_id = exposures.experiment_id and {{ linked_unit('lost') }} = exposures.unit_id
    where lost.event_day = lost.first_day
)

select
    experiment_id,
    variant_id,
    due_variant_id,
    step,
    event_day,
    lost_day,
    cast(sum(units) as bigint) as units,
    cast(sum(events) as bigint) as events
from counted
group by experiment_id, variant_id, due_variant_id, step, event_day, lost_day
