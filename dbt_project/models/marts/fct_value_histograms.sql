{{ config(materialized='view', meta={'shards': 'finished'}) }}
-- Counts are kept by the day a unit enters; a cut-off sums the days up to it. Ask for one cut-off at a time.
with
cut_offs as (
    select statistics.*
    from {{ ref('fct_sufficient_statistics') }} as statistics
    where statistics.analysis = 'default'
        and statistics.sum_y is not null
        and (statistics.experiment_id, statistics.metric) in (
            select windows.experiment_id, windows.metric
            from {{ ref('int_metric_windows') }} as windows
            where windows.histogram
        )
),

counted as (
    select
        cut_offs.cut_off, cut_offs.experiment_id, cut_offs.metric, cut_offs.segment, cut_offs.segment_level,
        cut_offs.variant_id, counts.value, sum(counts.units) as units
    from cut_offs
    inner join (
        select counts.* exclude (segments), unnest(list_prepend({segment: 'all', level: 'all'}, segments)) as one
        from {{ ref('int_value_counts') }} as counts
        where part = 'entered' and value <> 0
    ) as counts
        on cut_offs.experiment_id = counts.experiment_id
            and cut_offs.metric = counts.metric
            and cut_offs.segment = counts.one.segment
            and cut_offs.segment_level = counts.one.level
            and cut_offs.variant_id = counts.variant_id
            and counts.day <= cut_offs.cut_off
    group by all
),

zeros as (
    select
        cut_offs.cut_off, cut_offs.experiment_id, cut_offs.metric, cut_offs.segment, cut_offs.segment_level,
        cut_offs.variant_id, 0 as value, any_value(cut_offs.n) - coalesce(sum(counted.units), 0) as units
    from cut_offs
    left join counted using (cut_off, experiment_id, metric, segment, segment_level, variant_id)
    group by all
)

select
    cut_off, experiment_id, metric, segment, segment_level, variant_id,
    cast(value as bigint) as value, cast(units as bigint) as units
from (
    select * from counted
    union all
    select * from zeros
)
where units > 0
