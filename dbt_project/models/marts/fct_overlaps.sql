{{ config(
    materialized='replace',
    key=['experiment_id', 'phase', 'variant_id', 'other_id', 'other_phase', 'other_variant', 'day'],
    scope='overlap_scope',
    partition_by='day',
    meta={'shards': 'added', 'sums': ['units']}
) }}
with
exposed as (
    {{ paired_exposures() }}
),

-- Each pair once, from its second exposure: what a day adds follows the day's exposures.
pairs as (
    select
        latest.experiment_id < earlier.experiment_id as is_first,
        if(is_first, latest.experiment_id, earlier.experiment_id) as experiment_id,
        if(is_first, latest.phase, earlier.phase) as phase,
        if(is_first, latest.variant_id, earlier.variant_id) as variant_id,
        if(is_first, earlier.experiment_id, latest.experiment_id) as other_id,
        if(is_first, earlier.phase, latest.phase) as other_phase,
        if(is_first, earlier.variant_id, latest.variant_id) as other_variant,
        latest.exposure_day as day
    from exposed as latest
    inner join exposed as earlier
        on latest.unit_id = earlier.unit_id
            and latest.unit_type = earlier.unit_type
            and latest.experiment_id <> earlier.experiment_id
            and (
                latest.exposure_day > earlier.exposure_day
                or (latest.exposure_day = earlier.exposure_day and latest.experiment_id < earlier.experiment_id)
            )
)

select
    experiment_id,
    phase,
    variant_id,
    other_id,
    other_phase,
    other_variant,
    day,
    count(*) as units
from pairs
where {{ in_scope(overlap_scope()) }}
group by experiment_id, phase, variant_id, other_id, other_phase, other_variant, day
