{{ config(materialized='table') }}
select
    order_id,
    customer_id,
    ordered_at,
    status,
    items,
    cents / 100.0 as amount
from {{ source('shop', 'raw_orders') }}
where status <> 'test'
