{{ config(
    materialized='replace',
    key=['experiment_id', 'variant_id', 'exposure_day'],
    scope='targeting_audit_scope',
    partition_by='exposure_day',
    meta={'shards': 'added', 'sums': ['units', 'ineligible']}
) }}
{% set targetings = compiled_targetings() %}
-- What the exposure event does not carry stays unknown, and such a unit is not asked about: an SDK may be told more.
with
asked as (
    select
        exposures.experiment_id,
        exposures.variant_id,
        exposures.exposure_day,
        exposures.exposed_at as instant,
        {{ by_experiment(targetings, 'exposures.experiment_id', 1, 'json') }} as attributes
    from {{ ref('fct_exposures') }} as exposures
    inner join {{ ref('stg_events') }} as e
        on exposures.exposure_day = e.event_day and exposures.exposure_event_id = e.event_id
    where exposures.experiment_id in (select asked.experiment_id from {{ source('catalog', 'targetings') }} as asked)
        and {{ in_scope(targeting_audit_scope('exposures')) }}
        and {{ in_audited_days('e.event_day') }}
),

told as (
    select
        experiment_id,
        variant_id,
        exposure_day,
        {{ by_experiment(targetings, 'experiment_id', 2, 'boolean') }} as is_eligible
    from asked
)

select
    experiment_id,
    variant_id,
    exposure_day,
    count(*) as units,
    count(*) filter (where not is_eligible) as ineligible
from told
where is_eligible is not null
group by experiment_id, variant_id, exposure_day
