{{ config(materialized='view', meta={'shards': 'finished'}) }}
-- depends_on: {{ ref('fct_sufficient_statistics') }}
select model, partition, sum(rows_computed) as rows_computed, sum(rows_changed) as rows_changed
from work.rewrites
group by model, partition
