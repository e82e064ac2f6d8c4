{{ config(materialized='view') }}
select * from {{ source('landing', 'raw_events') }}
