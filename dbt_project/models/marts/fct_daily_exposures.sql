{{ config(
    materialized='replace',
    key=['experiment_id', 'segment', 'segment_level', 'exposure_day', 'phase', 'variant_id'],
    scope='exposure_days_in_scope',
    partition_by='exposure_day'
) }}
select
    exposures.experiment_id,
    of_segments.one.segment as segment,
    of_segments.one.level as segment_level,
    exposures.exposure_day,
    coalesce(exposures.phase, -1) as phase,
    exposures.variant_id,
    count(*) as units,
    count(exposures.second_arm_at) as crossovers
from {{ ref('fct_exposures') }} as exposures,
    unnest(list_prepend({segment: 'all', level: 'all'}, exposures.segments)) as of_segments (one)
where {{ in_scope(exposure_days_in_scope()) }}
group by all
