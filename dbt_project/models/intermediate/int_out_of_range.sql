{{ config(
    materialized='replace',
    key=['experiment_id', 'metric'],
    scope='whole_table',
    partition_by="experiment_id || '/' || metric",
    on_change='note_out_of_range',
    meta={'shards': 'everywhere'}
) }}
with
large as (
    select experiment_id, metric, day, magnitude
    from {{ ref('int_magnitudes') }}
    where not exists (from {{ source('work', 'magnitudes_of_all_shards') }})
    union all
    select experiment_id, metric, day, magnitude
    from {{ source('work', 'magnitudes_of_all_shards') }}
),

so_far as (
    select
        experiment_id, metric, day,
        sum(magnitude) over (partition by experiment_id, metric order by day) as magnitude
    from large
)

select experiment_id, metric, min(day) as from_day
from so_far
where magnitude > {{ largest_magnitude() }}
group by experiment_id, metric
