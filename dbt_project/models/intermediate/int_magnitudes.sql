{{ config(materialized='table', meta={'shards': 'added', 'sums': ['magnitude']}) }}
select experiment_id, metric, day, cast(sum(magnitude) as hugeint) as magnitude
from (
    select experiment_id, metric, day, magnitude
    from {{ ref('int_unit_values') }}
    where magnitude > 0
    union all
    select experiment_id, metric, day, magnitude
    from {{ ref('int_open_values') }}
    where magnitude > 0
)
group by experiment_id, metric, day
