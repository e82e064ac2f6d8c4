{{ config(
    materialized='replace',
    key=['experiment_id', 'metric', 'part', 'day', 'phase', 'variant_id', 'segments'],
    scope='increment_scope',
    partition_by="experiment_id || '/' || metric || '/' || day",
    meta={'shards': 'added', 'sums': ['n'] + moments()}
) }}
-- depends_on: {{ ref('int_touched_partitions') }}
-- depends_on: {{ ref('int_out_of_range') }}
with
windows as (
    select experiment_id, metric, window_end from {{ ref('int_metric_windows') }}
    union all
    select experiment_id, '', null from {{ source('catalog', 'experiments') }}
),

-- A fixed window counts its unit on the day it closes, an open one on the day of exposure. Counted once a window: most
-- metrics share theirs.
counted as (
    select
        exposures.experiment_id,
        lengths.window_end,
        cast(exposures.exposed_at + to_microseconds(coalesce(lengths.window_end - 1, 0)) as date) as day,
        coalesce(exposures.phase, -1) as phase,
        exposures.variant_id,
        exposures.segments,
        cast(exposures.second_arm_at as date) as second_arm_at,
        count(*) as n
    from {{ ref('fct_exposures') }} as exposures
    inner join (select distinct experiment_id, window_end from windows) as lengths using (experiment_id)
    where cast(exposures.exposed_at + to_microseconds(coalesce(lengths.window_end - 1, 0)) as date)
        <= {{ frontier_after() }}
        {{ only_days('exposures.exposure_day', 'exposures') }}
    group by all
),

entries as (
    select counted.* exclude (window_end), windows.metric
    from counted
    inner join windows
        on counted.experiment_id = windows.experiment_id
            and counted.window_end is not distinct from windows.window_end
),

fixed_values as (
    select
        experiment_id, metric, day, phase, variant_id, segments, second_arm_at, true as is_entry,
        y, d, x, w, cast(0 as hugeint) as y_before, cast(0 as hugeint) as d_before
    from {{ ref('int_unit_values') }} as closed
    where {{ in_range('closed') }} {{ only_days('closed.day', 'closed') }}
),

open_values as (
    select
        experiment_id, metric, day, phase, variant_id, segments, second_arm_at, is_entry,
        y, d, x, w, y_before, d_before
    from {{ ref('int_open_values') }} as opened
    where {{ in_range('opened') }} {{ only_days('opened.day', 'opened') }}
),

valued as (
    select * from fixed_values
    union all
    select * from open_values
),

parts as (
    {{ unit_parts() }}
)

select
    experiment_id, metric, part, day, phase, variant_id, segments,
    cast(sum(n) as bigint) as n
    {%- for moment in moments() %},
    cast(sum({{ moment }}) as hugeint) as {{ moment }}
    {%- endfor %}
from parts
where {{ in_scope(dirty_partitions()) }}
group by experiment_id, metric, part, day, phase, variant_id, segments
