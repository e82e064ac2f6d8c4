{{ config(
    materialized='replace',
    key=['experiment_id', 'metric', 'part', 'day', 'variant_id', 'segments', 'value', 'before'],
    scope='increment_scope',
    partition_by="experiment_id || '/' || metric || '/' || day",
    meta={'shards': 'added', 'sums': ['units']}
) }}
-- depends_on: {{ ref('int_touched_partitions') }}
-- depends_on: {{ ref('int_out_of_range') }}
with
valued as (
    select
        values.experiment_id, values.metric, values.day, values.variant_id, values.second_arm_at, values.segments,
        cast(values.h as bigint) as value,
        -- What is capped together with the value: of other metrics the covariate makes no difference here.
        case when windows.winsorized then cast(coalesce(values.x, 0) as bigint) else 0 end as before
    from {{ ref('int_unit_values') }} as values
    inner join {{ ref('int_metric_windows') }} as windows using (experiment_id, metric)
    where windows.histogram and {{ in_range('values') }}
),

parts as (
    select experiment_id, metric, 'entered' as part, day, variant_id, segments, value, before
    from valued
    union all
    select experiment_id, metric, 'crossed', greatest(day, cast(second_arm_at as date)), variant_id, segments, value, before
    from valued
    where second_arm_at is not null
)

select experiment_id, metric, part, day, variant_id, segments, value, before, count(*) as units
from parts
where (value <> 0 or before <> 0) and {{ in_scope(dirty_partitions()) }}
group by experiment_id, metric, part, day, variant_id, segments, value, before
