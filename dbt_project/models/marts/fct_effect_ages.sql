{{ config(materialized='view', meta={'shards': 'finished'}) }}
select * exclude (large)
from {{ ref('int_effect_ages') }}
qualify sum(large) over (partition by experiment_id, metric, exposure_day) = 0
