{{ config(materialized='view') }}
select
    experiment_id,
    variant_id,
    rejected as step,
    count(distinct (id_kind, raw_id)) as units,
    cast(sum(events) as bigint) as events
from {{ ref('int_exposure_events') }}
where rejected is not null
group by experiment_id, variant_id, rejected
