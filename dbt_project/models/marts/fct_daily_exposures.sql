{{ config(
    materialized='replace',
    key=['experiment_id', 'segment', 'segment_level', 'exposure_day', 'phase', 'variant_id'],
    scope='exposure_days_in_scope',
    partition_by='exposure_day',
    meta={'shards': 'added', 'sums': ['units', 'crossovers']}
) }}
select
    exposures.experiment_id,
    of_segments.one.segment as segment,
    of_segments.one.level as segment_level,
    exposures.exposure_day,
    coalesce(exposures.phase, -1) as phase,
    exposures.variant_id,
    cast(sum(exposures.units) as bigint) as units,
    cast(sum(exposures.crossovers) as bigint) as crossovers
from (
    -- By combination of levels first: there are few of them, and each counts once for every segment.
    select experiment_id, segments, exposure_day, phase, variant_id, count(*) as units, count(second_arm_at) as crossovers
    from {{ ref('fct_exposures') }}
    where {{ in_scope(exposure_days_in_scope()) }}
    group by experiment_id, segments, exposure_day, phase, variant_id
) as exposures,
    unnest(list_prepend({segment: 'all', level: 'all'}, exposures.segments)) as of_segments (one)
group by all
