{{ config(materialized='view', meta={'shards': 'finished'}) }}
select
    experiment_id,
    variant_id,
    exposure_day,
    coalesce(phase, -1) as phase,
    cast(second_arm_at as date) as crossed_day,
    count(*) as units
from {{ ref('fct_exposures') }}
where second_arm_at is not null
group by experiment_id, variant_id, exposure_day, coalesce(phase, -1), crossed_day
