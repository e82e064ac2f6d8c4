{{ config(
    materialized='replace',
    key=['experiment_id', 'metric', 'day', 'phase', 'variant_id', 'fold', 'context'],
    scope='increment_scope',
    partition_by="experiment_id || '/' || metric || '/' || day",
    meta={'shards': 'added', 'sums': ['n', 'sum_y', 'sum_yy']}
) }}
-- depends_on: {{ ref('int_touched_partitions') }}
-- depends_on: {{ ref('int_out_of_range') }}
with
exposed as (
    select
        exposures.experiment_id,
        contexts.metric,
        exposures.unit_id,
        cast(exposures.exposed_at + to_microseconds(windows.window_end - 1) as date) as day,
        coalesce(exposures.phase, -1) as phase,
        exposures.variant_id,
        -- By the unit, so that no unit is both learned from and judged by, whatever else it is in.
        cast({{ shard("exposures.experiment_id || '-fold'", 'exposures.unit_id') }} % {{ context_folds() }} as integer)
            as fold,
        list_transform(
            contexts.features,
            lambda feature: list_filter(exposures.segments, lambda one: one.segment = feature)[1].level
        ) as context
    from {{ ref('fct_exposures') }} as exposures
    inner join {{ source('catalog', 'contexts') }} as contexts on exposures.experiment_id = contexts.experiment_id
    inner join {{ ref('int_metric_windows') }} as windows
        on contexts.experiment_id = windows.experiment_id and contexts.metric = windows.metric
    where cast(exposures.exposed_at + to_microseconds(windows.window_end - 1) as date) <= {{ frontier_after() }}
        {{ only_days('exposures.exposure_day', 'exposures') }}
),

valued as (
    select exposed.*, rewards.y
    from exposed
    left join (
        select experiment_id, metric, unit_id, y
        from {{ ref('int_unit_values') }} as closed
        where {{ in_range('closed') }} {{ only_days('closed.day', 'closed') }}
    ) as rewards
        on exposed.experiment_id = rewards.experiment_id
            and exposed.metric = rewards.metric
            and exposed.unit_id = rewards.unit_id
)

select
    experiment_id,
    metric,
    day,
    phase,
    variant_id,
    fold,
    context,
    count(*) as n,
    cast(coalesce(sum(y), 0) as hugeint) as sum_y,
    cast(coalesce(sum(y * y), 0) as hugeint) as sum_yy
from valued
where {{ in_scope(dirty_partitions()) }}
group by experiment_id, metric, day, phase, variant_id, fold, context
