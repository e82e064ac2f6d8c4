{{ config(
    materialized='replace',
    key=['experiment_id', 'unit_id'],
    scope='changed_assignment_rows',
    partition_by='cast(assigned_at as date)',
    meta={'shards': 'united'}
) }}
with
held_out as (
    select distinct exposures.experiment_id, exposures.unit_id, true as is_held_out
    from {{ ref('fct_exposures') }} as exposures
    inner join {{ source('catalog', 'experiments') }} as experiments using (experiment_id)
    inner join {{ source('catalog', 'holdouts') }} as holdouts using (experiment_id)
    where {{ in_scope(changed_exposure_rows()) }}
        and exposures.exposed_at >= coalesce(holdouts.start_at, timestamp '-infinity')
        and exposures.exposed_at < coalesce(holdouts.end_at, timestamp 'infinity')
        and family_shard(experiments.sdk, holdouts.salt, exposures.logged_id) < holdouts.shards
),

hashed as (
    select
        exposures.*,
        experiments.unit_type,
        coalesce(experiments.assignment, 'hash') <> 'hash' as is_listed,
        listed.listed_variant_id,
        held_out.is_held_out is not null as is_held_out,
        experiments.layer_salt is null
        or family_shard(experiments.sdk, experiments.layer_salt, exposures.logged_id) 
            >= coalesce(former.shard_from, experiments.layer_shard_from)
        and family_shard(experiments.sdk, experiments.layer_salt, exposures.logged_id) 
            < coalesce(former.shard_to, experiments.layer_shard_to)
            as in_layer,
        family_shard(experiments.sdk, phases.traffic_salt, exposures.logged_id) < phases.traffic_shards as in_traffic,
        family_shard(experiments.sdk, phases.split_salt, exposures.logged_id) as split_shard
    from {{ ref('fct_exposures') }} as exposures
    inner join {{ source('catalog', 'experiments') }} as experiments using (experiment_id)
    left join {{ source('catalog', 'phases') }} as phases using (experiment_id, phase)
    left join {{ source('catalog', 'former_layers') }} as former
        on exposures.experiment_id = former.experiment_id
            and exposures.exposed_at >= coalesce(former.start_at, timestamp '-infinity')
            and exposures.exposed_at < former.end_at
    left join held_out using (experiment_id, unit_id)
    left join (
        select experiment_id, unit_id as logged_id, variant_id as listed_variant_id
        from {{ source('catalog', 'assigned_units') }}
    ) as listed using (experiment_id, logged_id)
    where {{ in_scope(changed_exposure_rows()) }}
        and exposures.experiment_id not in (
            select pruned.experiment_id from {{ source('journal', 'pruned') }} as pruned
        )
)

select
    hashed.experiment_id,
    hashed.unit_id,
    hashed.unit_type,
    case when hashed.is_listed then hashed.listed_variant_id else weights.variant_id end as variant_id,
    hashed.phase,
    coalesce(not hashed.is_held_out and hashed.in_layer and hashed.in_traffic, false)
    and (not hashed.is_listed or hashed.listed_variant_id is not null) as in_traffic,
    hashed.exposed_at as assigned_at,
    hashed.variant_id as logged_variant_id,
    hashed.logged_id,
    case
        when hashed.phase is null then 'no_phase'
        when hashed.is_held_out then 'holdout'
        when not hashed.in_layer then 'outside_layer'
        when not hashed.in_traffic then 'outside_traffic'
        when hashed.is_listed then if(hashed.listed_variant_id is null, 'not_listed', 'list')
        else 'split'
    end as reason,
    hashed.sdk_name,
    hashed.sdk_version,
    hashed.platform,
    hashed.device,
    hashed.session_id
from hashed
left join {{ source('catalog', 'phase_weights') }} as weights
    on hashed.experiment_id = weights.experiment_id
        and hashed.phase = weights.phase
        and hashed.split_shard >= weights.shard_from
        and hashed.split_shard < weights.shard_to
