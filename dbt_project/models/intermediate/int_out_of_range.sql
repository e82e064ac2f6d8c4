{{ config(
    materialized='replace',
    key=['experiment_id', 'metric'],
    scope='whole_table',
    partition_by="experiment_id || '/' || metric",
    on_change='note_out_of_range'
) }}
with
large as (
    select experiment_id, metric, day, magnitude
    from {{ ref('int_unit_values') }}
    where magnitude > 0
    union all
    select experiment_id, metric, day, magnitude
    from {{ ref('int_open_values') }}
    where magnitude > 0
),

so_far as (
    select
        experiment_id, metric, day,
        sum(sum(magnitude)) over (partition by experiment_id, metric order by day) as magnitude
    from large
    group by experiment_id, metric, day
)

select experiment_id, metric, min(day) as from_day
from so_far
where magnitude > {{ largest_magnitude() }}
group by experiment_id, metric
