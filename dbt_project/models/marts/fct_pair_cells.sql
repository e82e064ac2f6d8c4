{{ config(
    materialized='replace',
    key=['experiment_id', 'metric', 'phase', 'variant_id', 'other_id', 'other_phase', 'other_variant', 'day'],
    scope='pair_scope',
    partition_by='day',
    meta={'shards': 'added', 'sums': ['n', 'sum_y', 'sum_d', 'sum_yy', 'sum_yd', 'sum_dd']}
) }}
-- depends_on: {{ ref('int_touched_partitions') }}
-- depends_on: {{ ref('int_out_of_range') }}
-- Each pair twice, once for the primary metrics of either side.
{% set letters = ['y', 'd', 'yy', 'yd', 'dd'] %}
{% set first = first_pair_day() %}
with
exposed as not materialized (
    {{ paired_exposures() }}
),

primaries as (
    select distinct windows.experiment_id, windows.metric, windows.window_end
    from {{ ref('int_metric_windows') }} as windows
    inner join {{ source('catalog', 'experiment_metrics') }} as used
        on windows.experiment_id = used.experiment_id and windows.metric = used.metric and used.role = 'primary'
),

-- A unit counts on the day on which its window closes, one of an open window from its exposure on.
added as not materialized (
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

-- Kept on the day from which the unit counts and is in both, so that no later day changes an earlier one. What has changed is
-- laid down before it meets the other exposures: the other way round, all exposures of all days would be paired first.
{%- if first %}
arrived as materialized (
    select * from exposed where exposure_day >= {{ first }}
),

met as materialized (
    select
        own.experiment_id, own.unit_id, own.phase, own.variant_id, other.experiment_id as other_id,
        other.phase as other_phase, other.variant_id as other_variant, other.exposure_day
    from arrived as other
    inner join exposed as own
        on other.unit_id = own.unit_id and other.unit_type = own.unit_type and other.experiment_id <> own.experiment_id
),
{%- endif %}

counted as {{ 'materialized' if first else 'not materialized' }} (
    select
        added.experiment_id, added.metric, added.unit_id, added.day, added.n, own.unit_type, own.phase, own.variant_id
        {%- for letter in letters %}, added.{{ letter }}{% endfor %}
    from added
    inner join primaries on added.experiment_id = primaries.experiment_id and added.metric = primaries.metric
    inner join exposed as own on added.experiment_id = own.experiment_id and added.unit_id = own.unit_id
    where added.day <= {{ frontier_after() }}{% if first %} and added.day >= {{ first }}{% endif %}
        and {{ in_range('added') }}
),

pairs as (
    select
        counted.experiment_id, counted.metric, coalesce(counted.phase, -1) as phase, counted.variant_id,
        other.experiment_id as other_id, coalesce(other.phase, -1) as other_phase, other.variant_id as other_variant,
        greatest(counted.day, other.exposure_day) as day, counted.n
        {%- for letter in letters %}, counted.{{ letter }}{% endfor %}
    from counted
    inner join exposed as other
        on counted.unit_id = other.unit_id
            and counted.unit_type = other.unit_type
            and counted.experiment_id <> other.experiment_id
    {%- if first %}
    union all
    select
        added.experiment_id, added.metric, coalesce(met.phase, -1), met.variant_id,
        met.other_id, coalesce(met.other_phase, -1), met.other_variant,
        met.exposure_day, added.n
        {%- for letter in letters %}, added.{{ letter }}{% endfor %}
    from met
    inner join added on met.experiment_id = added.experiment_id and met.unit_id = added.unit_id
    inner join primaries on added.experiment_id = primaries.experiment_id and added.metric = primaries.metric
    where added.day < {{ first }} and {{ in_range('added') }}
    {%- endif %}
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
