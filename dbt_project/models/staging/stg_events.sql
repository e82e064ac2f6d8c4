{{ config(materialized='view') }}
select * exclude (filtered_by)
from {{ ref('base_events') }}
where filtered_by is null
