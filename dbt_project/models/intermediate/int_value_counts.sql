{{ config(
    materialized='replace',
    key=['experiment_id', 'metric', 'part', 'day', 'variant_id', 'segments', 'value'],
    scope='increment_scope',
    partition_by="experiment_id || '/' || metric || '/' || day"
) }}
-- depends_on: {{ ref('int_touched_partitions') }}
-- depends_on: {{ ref('int_out_of_range') }}
with
valued as (
    select values.*
    from {{ ref('int_unit_values') }} as values
    inner join {{ ref('int_metric_windows') }} as windows using (experiment_id, metric)
    where windows.histogram and values.h <> 0 and {{ in_range('values') }}
),

parts as (
    select experiment_id, metric, 'entered' as part, day, variant_id, segments, h
    from valued
    union all
    select experiment_id, metric, 'crossed', greatest(day, cast(second_arm_at as date)), variant_id, segments, h
    from valued
    where second_arm_at is not null
)

select experiment_id, metric, part, day, variant_id, segments, cast(h as bigint) as value, count(*) as units
from parts
where {{ in_scope(dirty_partitions()) }}
group by experiment_id, metric, part, day, variant_id, segments, h
