{{ config(
    materialized='replace',
    key=['cut_off', 'experiment_id', 'metric', 'segment', 'segment_level', 'variant_id', 'analysis'],
    scope='stale_cut_offs',
    partition_by="experiment_id || '/' || metric || '/' || cut_off",
    meta={'shards': 'finished'}
) }}
-- depends_on: {{ ref('int_touched_partitions') }}
-- depends_on: {{ ref('int_increments') }}
{% set moments = moments() %}
{% set reset = is_reset() %}
with
-- Per metric, the first cut-off that has to be told anew; what was added before it stands, if there is a row.
stale as (
    select
        windows.*,
        greatest(windows.first_cut_off, dirty.day) as from_cut_off,
        {% if reset %}false{% else %}dirty.day > windows.first_cut_off{% endif %} as has_base,
        {% if reset %}date '0001-01-01'{% else -%}
        case when dirty.day > windows.first_cut_off then dirty.day else date '0001-01-01' end
        {%- endif %} as add_from
    from {{ ref('int_metric_windows') }} as windows
    inner join (
        {{ first_stale_day() }}
    ) as dirty using (experiment_id, metric)
),

increments as (
    select
        increments.experiment_id,
        increments.metric,
        increments.part,
        increments.day,
        increments.variant_id,
        one.segment,
        one.level as segment_level,
        increments.n
        {%- for moment in moments %},
        increments.{{ moment }}
        {%- endfor %}
    from {{ ref('int_increments') }} as increments,
        unnest(list_prepend({segment: 'all', level: 'all'}, increments.segments)) as of_segments (one)
),

-- Everything before the first stale cut-off is one step: the row that stands at the cut-off before it.
steps as (
    select
        stale.experiment_id, stale.metric, analyses.analysis, increments.segment, increments.segment_level,
        increments.variant_id, greatest(increments.day, stale.from_cut_off) as day,
        analyses.sign * increments.n as n, 0 as exposed
        {%- for moment in moments %},
        analyses.sign * increments.{{ moment }} as {{ moment }}
        {%- endfor %}
    from stale
    inner join increments
        on stale.experiment_id = increments.experiment_id
            and stale.metric = increments.metric
            and increments.day >= stale.add_from
    inner join (
        values ('default', 'entered', 1), ('crossovers_excluded', 'entered', 1), ('crossovers_excluded', 'crossed', -1)
    ) as analyses (analysis, part, sign) using (part)
    union all
    select
        stale.experiment_id, stale.metric, analyses.analysis, increments.segment, increments.segment_level,
        increments.variant_id, greatest(increments.day, stale.from_cut_off),
        0, analyses.sign * increments.n
        {%- for moment in moments %}, 0{% endfor %}
    from stale
    inner join increments
        on stale.experiment_id = increments.experiment_id
            and increments.metric = ''
            and increments.day >= stale.add_from
    inner join (
        values ('default', 'entered', 1), ('crossovers_excluded', 'entered', 1), ('crossovers_excluded', 'crossed', -1)
    ) as analyses (analysis, part, sign) using (part)
    {%- if not reset %}
    union all
    select
        stale.experiment_id, stale.metric, standing.analysis, standing.segment, standing.segment_level,
        standing.variant_id, stale.from_cut_off, standing.n, standing.n + standing.n_open
        {%- for moment in moments %}, coalesce(standing.{{ moment }}, 0){% endfor %}
    from stale
    inner join {{ this }} as standing
        on stale.experiment_id = standing.experiment_id
            and stale.metric = standing.metric
            and standing.cut_off = stale.from_cut_off - 1
            and stale.has_base
    {%- endif %}
),

levels as (
    select experiment_id, segment, segment_level, min(day) as first_day
    from increments
    where metric = '' and segment <> 'all'
    group by experiment_id, segment, segment_level
    union all
    select experiment_id, 'all', 'all', date '0001-01-01'
    from {{ source('catalog', 'experiments') }}
),

-- Every declared variant has a row on every calendar day, with or without units or events.
grid as (
    select
        stale.experiment_id, stale.metric, analyses.analysis, levels.segment, levels.segment_level,
        variants.variant_id, cast(cut_offs.day as date) as day, stale.from_cut_off
    from stale
    inner join {{ source('catalog', 'experiments') }} as experiments using (experiment_id)
    inner join {{ source('catalog', 'variants') }} as variants using (experiment_id)
    inner join levels using (experiment_id)
    inner join (values ('default'), ('crossovers_excluded')) as analyses (analysis)
        on analyses.analysis = 'default' or levels.segment = 'all' or experiments.crossovers = 'exclude'
    cross join lateral (
        select unnest(generate_series(
            cast(greatest(stale.from_cut_off, levels.first_day) as timestamp),
            cast(least(coalesce(stale.last_cut_off, {{ frontier_after() }}), {{ frontier_after() }}) as timestamp),
            interval 1 day)) as day
    ) as cut_offs
),

daily as (
    select
        experiment_id, metric, analysis, segment, segment_level, variant_id, day,
        bool_or(is_cut_off) as is_cut_off, sum(n) as n, sum(exposed) as exposed
        {%- for moment in moments %}, sum({{ moment }}) as {{ moment }}{% endfor %}
    from (
        select *, false as is_cut_off from steps
        union all
        select
            experiment_id, metric, analysis, segment, segment_level, variant_id, day, 0, 0
            {%- for moment in moments %}, 0{% endfor %}, true
        from grid
    )
    group by experiment_id, metric, analysis, segment, segment_level, variant_id, day
),

running as (
    select
        experiment_id, metric, analysis, segment, segment_level, variant_id, day, is_cut_off,
        sum(n) over so_far as n,
        sum(exposed) over so_far as exposed
        {%- for moment in moments %},
        sum({{ moment }}) over so_far as {{ moment }}
        {%- endfor %}
    from daily
    window so_far as (
        partition by experiment_id, metric, analysis, segment, segment_level, variant_id order by day
    )
),

{{ winsorized_sums() }}

select
    running.day as cut_off,
    running.experiment_id,
    running.metric,
    running.segment,
    running.segment_level,
    running.variant_id,
    running.analysis,
    cast(running.n as bigint) as n,
    cast(running.exposed - running.n as bigint) as n_open
    {%- for moment in moments %},
    case
        when {{ moment_exists(moment) }} then cast(
            {%- if moment in ('sum_y', 'sum_yy', 'sum_x', 'sum_yx', 'sum_xx') -%}
            case when stale.winsorized then coalesce(winsorized.{{ moment }}, 0) else running.{{ moment }} end
            {%- else -%}
            running.{{ moment }}
            {%- endif %} as hugeint)
    end as {{ moment }}
    {%- endfor %},
    stale.scale_y,
    stale.scale_d,
    stale.covariate_status,
    winsorized.cap_low,
    winsorized.cap_high,
    case when stale.covariate_status = 'ok' then winsorized.cap_x_low end as cap_x_low,
    case when stale.covariate_status = 'ok' then winsorized.cap_x_high end as cap_x_high
from running
inner join stale using (experiment_id, metric)
left join {{ ref('int_out_of_range') }} as beyond
    on running.experiment_id = beyond.experiment_id and running.metric = beyond.metric
left join winsorized
    on running.experiment_id = winsorized.experiment_id
        and running.metric = winsorized.metric
        and running.analysis = winsorized.analysis
        and running.segment = winsorized.segment
        and running.segment_level = winsorized.segment_level
        and running.variant_id = winsorized.variant_id
        and running.day = winsorized.day
where running.is_cut_off
