{{ config(materialized='view', meta={'shards': 'everywhere'}) }}
select cast(day as date) as date_day
from generate_series(timestamp '2000-01-01', timestamp '2059-12-31', interval 1 day) as spine(day)
