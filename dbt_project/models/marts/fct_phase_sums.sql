{{ config(
    materialized='replace',
    key=['experiment_id', 'metric', 'segment', 'segment_level', 'analysis', 'phase', 'variant_id', 'day'],
    scope='increment_scope',
    partition_by="experiment_id || '/' || metric || '/' || day",
    meta={'shards': 'added', 'sums': ['n'] + moments()}
) }}
-- depends_on: {{ ref('int_touched_partitions') }}
-- depends_on: {{ ref('int_out_of_range') }}
with
analyses (analysis, part, sign) as (
    values
    ('default', 'entered', 1),
    ('crossovers_excluded', 'entered', 1),
    ('crossovers_excluded', 'crossed', -1)
),

phased as (
    select experiment_id
    from {{ source('catalog', 'experiments') }}
    where type = 'bandit'
    union
    -- Shares are the same when they differ by floating dust only.
    select experiments.experiment_id
    from {{ source('catalog', 'experiments') }} as experiments
    inner join {{ source('catalog', 'phase_weights') }} as weights
        on experiments.experiment_id = weights.experiment_id
    where experiments.assignment = 'hash'
    group by experiments.experiment_id, weights.variant_id
    having count(distinct round(weights.weight, 9)) > 1
),

-- Lists that were drawn in strata or blocks: the phase is the stratum of the unit that was listed.
listed as (
    select exposures.* replace (cast(assigned.stratum as integer) as phase)
    from {{ ref('fct_exposures') }} as exposures
    inner join {{ source('catalog', 'assigned_units') }} as assigned
        on exposures.experiment_id = assigned.experiment_id and exposures.logged_id = assigned.unit_id
    where assigned.stratum is not null
),

entries as (
    select
        listed.experiment_id,
        windows.metric,
        cast(listed.exposed_at + to_microseconds(coalesce(windows.window_end - 1, 0)) as date) as day,
        listed.phase,
        listed.variant_id,
        listed.segments,
        listed.second_arm_at,
        1 as n
    from listed
    inner join {{ ref('int_metric_windows') }} as windows on listed.experiment_id = windows.experiment_id
    where cast(listed.exposed_at + to_microseconds(coalesce(windows.window_end - 1, 0)) as date)
        <= {{ frontier_after() }}
),

unit_values as (
    select
        experiment_id, metric, unit_id, day, true as is_entry,
        y, d, x, w, cast(0 as hugeint) as y_before, cast(0 as hugeint) as d_before
    from {{ ref('int_unit_values') }} as closed
    where experiment_id in (select listed.experiment_id from listed) and {{ in_range('closed') }}
    union all
    select experiment_id, metric, unit_id, day, is_entry, y, d, x, w, y_before, d_before
    from {{ ref('int_open_values') }} as opened
    where experiment_id in (select listed.experiment_id from listed) and {{ in_range('opened') }}
),

valued as (
    select
        unit_values.* exclude (unit_id),
        listed.phase,
        listed.variant_id,
        listed.segments,
        listed.second_arm_at
    from unit_values
    inner join listed
        on unit_values.experiment_id = listed.experiment_id and unit_values.unit_id = listed.unit_id
),

by_stratum as (
    {{ unit_parts() }}
),

increments as (
    select *
    from {{ ref('int_increments') }}
    where experiment_id in (select phased.experiment_id from phased)
        and metric <> ''
        and {{ in_scope(dirty_partitions('day')) }}
    union all by name
    select *
    from by_stratum
    where {{ in_scope(dirty_partitions('day')) }}
)

select
    increments.experiment_id,
    increments.metric,
    of_segments.one.segment as segment,
    of_segments.one.level as segment_level,
    analyses.analysis,
    increments.phase,
    increments.variant_id,
    increments.day,
    cast(sum(analyses.sign * increments.n) as hugeint) as n
    {%- for moment in moments() %},
    cast(coalesce(sum(analyses.sign * increments.{{ moment }}), 0) as hugeint) as {{ moment }}
    {%- endfor %}
from increments
inner join analyses on increments.part = analyses.part,
    unnest(list_prepend({segment: 'all', level: 'all'}, increments.segments)) as of_segments (one)
where increments.day <= {{ frontier_after() }}
group by all
