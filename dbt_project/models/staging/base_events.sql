{{ config(materialized='view', meta={'shards': 'everywhere'}) }}
-- Conflicts and retractions are already settled by ingest; here each event learns which declared filter it meets.
select
    *,
    {{ matching_filter() }} as filtered_by
from {{ source('landing', 'raw_events') }}
