{{ config(
    materialized='replace',
    key=['experiment_id', 'metric', 'phase', 'variant_id', 'other_id', 'other_phase', 'other_variant', 'day'],
    scope='pair_scope',
    partition_by='day'
) }}
-- depends_on: {{ ref('int_touched_partitions') }}
-- depends_on: {{ ref('int_out_of_range') }}
-- Each pair twice, once for the primary metrics of either side.
{% set letters = ['y', 'd', 'yy', 'yd', 'dd'] %}
with
exposed as (
    {{ paired_exposures() }}
),

primaries as (
    select distinct windows.experiment_id, windows.metric, windows.window_end
    from {{ ref('int_metric_windows') }} as windows
    inner join {{ source('catalog', 'experiment_metrics') }} as used
        on windows.experiment_id = used.experiment_id and windows.metric = used.metric and used.role = 'primary'
),

-- A unit counts on the day on which its window closes, one of an open window from its exposure on.
added as (
    select
        exposed.experiment_id, primaries.metric, exposed.unit_id, 1 as n,
        cast(exposed.exposed_at + to_microseconds(coalesce(primaries.window_end - 1, 0)) as date) as day
        {%- for letter in letters %}, cast(0 as hugeint) as {{ letter }}{% endfor %}
    from exposed
    inner join primaries using (experiment_id)
    union all
    select experiment_id, metric, unit_id, 0, day, y, coalesce(d, 0), y * y, y * coalesce(d, 0), coalesce(d * d, 0)
    from {{ ref('int_unit_values') }} as closed
    where {{ in_range('closed') }}
    union all
    select
        experiment_id, metric, unit_id, 0, day,
        y - y_before,
        coalesce(d - d_before, 0),
        y * y - y_before * y_before,
        coalesce(y * d - y_before * d_before, 0),
        coalesce(d * d - d_before * d_before, 0)
    from {{ ref('int_open_values') }} as opened
    where {{ in_range('opened') }}
),

-- Kept on the day from which the unit counts and is in both, so that no later day changes an earlier one.
pairs as (
    select
        added.experiment_id, added.metric, coalesce(own.phase, -1) as phase, own.variant_id,
        other.experiment_id as other_id, coalesce(other.phase, -1) as other_phase, other.variant_id as other_variant,
        greatest(added.day, other.exposure_day) as day, added.n
        {%- for letter in letters %}, added.{{ letter }}{% endfor %}
    from added
    inner join primaries on added.experiment_id = primaries.experiment_id and added.metric = primaries.metric
    inner join exposed as own on added.experiment_id = own.experiment_id and added.unit_id = own.unit_id
    inner join exposed as other
        on own.unit_id = other.unit_id
            and own.unit_type = other.unit_type
            and own.experiment_id <> other.experiment_id
    where added.day <= {{ frontier_after() }} and {{ in_range('added') }}
)

select
    experiment_id,
    metric,
    phase,
    variant_id,
    other_id,
    other_phase,
    other_variant,
    day,
    cast(sum(n) as bigint) as n
    {%- for letter in letters %},
    cast(sum({{ letter }}) as hugeint) as sum_{{ letter }}
    {%- endfor %}
from pairs
where {{ in_scope(pair_scope()) }}
group by experiment_id, metric, phase, variant_id, other_id, other_phase, other_variant, day
