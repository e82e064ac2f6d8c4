{{ config(materialized='view', meta={'shards': 'finished'}) }}
-- Every step at which a unit is lost between the landed row and the exposure that counts, by the day on which it was known.
select experiment_id, variant_id, due_variant_id, step, event_day, lost_day, units, events
from {{ ref('int_unit_losses') }}
union all
select experiment_id, variant_id, null, step, event_day, event_day as lost_day, units, events
from {{ ref('fct_landing_losses') }}
