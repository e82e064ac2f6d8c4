{{ config(meta={'shards': 'kept'}) }}
-- The increments to aggregate anew: experiment × metric × day; metric '' counts exposures.
-- depends_on: {{ ref('int_unit_values') }}
-- depends_on: {{ ref('int_open_values') }}
-- depends_on: {{ ref('int_out_of_range') }}
with
windows as (
    select experiment_id, metric, window_end from {{ ref('int_metric_windows') }}
    union all
    select experiment_id, '', null from {{ source('catalog', 'experiments') }}
),

days as (
    select cast(unnest(generate_series(
        {{ frontier_before() }} + 1, {{ frontier_after() }}, interval 1 day)) as date) as day
    where {{ not is_reset() }}
),

moved as (
    select
        changed.experiment_id, windows.metric, changed.second_arm_at,
        cast(changed.exposed_at + to_microseconds(coalesce(windows.window_end - 1, 0)) as date) as day
    from work.changed_exposures as changed
    inner join windows using (experiment_id)
)

select windows.experiment_id, windows.metric, days.day
from windows cross join days
union
select experiment_id, metric, unnest([day, greatest(day, cast(second_arm_at as date))]) as day
from moved
where {{ not is_reset() }}
union
select experiment_id, metric, day from work.partitions
where {{ not is_reset() }}
