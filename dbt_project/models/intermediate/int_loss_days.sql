{{ config(
    materialized='replace',
    key=['event_day'],
    scope='whole_table',
    partition_by='event_day',
    on_change='note_loss_days',
    meta={'shards': 'finished'}
) }}
-- A row that is no event touches no unit, so these days tell by themselves that they have changed. Which rows are exposures,
-- and whose, the definitions say.
with
taken as (
    select file_hash, arrived_at from {{ source('landing', 'manifest') }} where status = 'taken'
),

definitions as (
    select sum(cast(hash((experiment_id, exposure_event, unit_type)) as hugeint)) as content
    from {{ source('catalog', 'experiments') }}
),

parts as (
    select event_day, hash(excluded) as content
    from {{ source('landing', 'excluded') }} as excluded
    where reason <> 'duplicate'
    union all
    select
        cast(taken.arrived_at as date),
        hash((quarantine.file_hash, quarantine.line_number, quarantine.raw_line is null))
    from {{ source('landing', 'quarantine') }} as quarantine
    inner join taken on quarantine.file_hash = taken.file_hash
)

select
    parts.event_day,
    concat_ws('|', sum(cast(parts.content as hugeint)), any_value(definitions.content)) as content
from parts
cross join definitions
group by parts.event_day
