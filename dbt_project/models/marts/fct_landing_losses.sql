{{ config(
    materialized='replace',
    key=['experiment_id', 'variant_id', 'step', 'event_day'],
    scope='landing_loss_scope',
    partition_by='event_day',
    meta={'shards': 'finished'}
) }}
-- depends_on: {{ ref('int_loss_days') }}
-- depends_on: {{ source('landing', 'lake_files') }}
-- depends_on: {{ source('landing', 'home') }}
{% set paths = files_of_excluded_copies() %}
with
-- A copy equal to the one that counts loses nothing.
excluded_exposures as (
    select
        copies.event_day,
        copies.event_id,
        copies.experiment_id,
        copies.variation_id,
        experiments.unit_type,
        {{ exposed_unit('copies', 'experiments.unit_type') }} as unit_id
    from {{ lake_scan(paths) if paths else '(select *, null as file_hash from ' ~ source('landing', 'raw_events') ~ ' where false)' }} as copies
    inner join {{ source('landing', 'excluded') }} as excluded
        on copies.event_day = excluded.event_day
            and copies.event_id = excluded.event_id
            and copies.file_hash = excluded.file_hash
            and excluded.reason <> 'duplicate'
            and excluded.event_day in ({{ changed_loss_days() }})
    inner join {{ source('catalog', 'experiments') }} as experiments
        on copies.experiment_id = experiments.experiment_id and copies.event_name = experiments.exposure_event
),

-- The copy that won may say the same of the unit and its variant.
lost_copies as (
    select copies.*
    from excluded_exposures as copies
    where not exists (
        select 1
        from {{ source('landing', 'raw_events') }} as winners
        where winners.event_day in ({{ changed_loss_days() }})
            and winners.event_day = copies.event_day
            and winners.event_id = copies.event_id
            and winners.experiment_id = copies.experiment_id
            and winners.variation_id is not distinct from copies.variation_id
            and {{ exposed_unit('winners', 'copies.unit_type') }} is not distinct from copies.unit_id
    )
),

-- Only rows that carry the contract's names can be told apart: JSON and Parquet, not the columns of a CSV file. What is in
-- quarantine has no day of its own but its file's.
quarantined as (
    select
        cast(manifest.arrived_at as date) as event_day,
        quarantine.raw_line ->> '$.event_name' as event_name,
        coalesce(quarantine.raw_line ->> '$.experiment_id', quarantine.raw_line ->> '$.properties.experiment_id')
            as experiment_id,
        coalesce(quarantine.raw_line ->> '$.variation_id', quarantine.raw_line ->> '$.properties.variation_id')
            as variant_id,
        quarantine.raw_line ->> '$.user_id' as user_id,
        quarantine.raw_line ->> '$.anonymous_id' as anonymous_id,
        quarantine.raw_line ->> '$.session_id' as session_id
    from {{ source('landing', 'quarantine') }} as quarantine
    inner join {{ source('landing', 'manifest') }} as manifest
        on quarantine.file_hash = manifest.file_hash and manifest.status = 'taken'
    where cast(manifest.arrived_at as date) in ({{ changed_loss_days() }})
        and contains(quarantine.raw_line, 'experiment_id')
        and json_valid(quarantine.raw_line)
),

lost as (
    select experiment_id, variation_id as variant_id, 'deduplication' as step, event_day, unit_id
    from lost_copies
    union all
    select
        rows.experiment_id,
        rows.variant_id,
        'quarantine',
        rows.event_day,
        {{ exposed_unit('rows', 'experiments.unit_type') }}
    from quarantined as rows
    inner join {{ source('catalog', 'experiments') }} as experiments
        on rows.experiment_id = experiments.experiment_id and rows.event_name = experiments.exposure_event
)

select
    experiment_id,
    variant_id,
    step,
    event_day,
    count(distinct unit_id) as units,
    count(*) as events
from lost
group by experiment_id, variant_id, step, event_day
