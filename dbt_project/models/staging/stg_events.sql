{{ config(materialized='view', meta={'shards': 'everywhere'}) }}
select * exclude (filtered_by)
from {{ ref('base_events') }}
where filtered_by is null
