-- The exposure rows that may have changed: what is touched today, what lost or gained an id, what was redefined.
{% set reset = work_state('frontier') is none %}
with
touched_ids as (
    select touched.id_kind, touched.raw_id
    from landing.touched_units as touched
    where touched.event_day <= {{ frontier_after() }}
),

mapped as (
    select distinct experiment_id, unit_type, {{ linked_unit('events') }} as unit_id, id_kind, raw_id
    from {{ ref('int_exposure_events') }} as events
    {{ join_links('events') }}
    where {{ 'false' if reset else 'rejected is null' }}
)

-- Exposure events of new days and of touched ids.
select distinct experiment_id, unit_id
from mapped
where (id_kind, raw_id) in (select touched_ids.id_kind, touched_ids.raw_id from touched_ids)
union
select distinct experiment_id, unit_id
from mapped
where unit_type = 'user' and unit_id in (select moved.unit_id from work.moved_units as moved)
union
select distinct mapped.experiment_id, mapped.unit_id
from mapped
inner join {{ source('catalog', 'experiments') }} as experiments using (experiment_id)
where experiments.activation_event is not null
    and mapped.unit_id in (
        select {{ linked_unit('touched') }} from (
            select 'user' as unit_type, * from touched_ids
        ) as touched {{ join_links('touched') }}
    )
{% if not reset %}
union
-- A row whose last exposure event was taken away is no longer found above.
select experiments.experiment_id, {{ linked_unit('touched') }} as unit_id
from (
    select exposures.experiment_id, exposures.id_kind, exposures.raw_id, experiments.unit_type
    from landing.touched_exposures as exposures
    inner join {{ source('catalog', 'experiments') }} as experiments using (experiment_id)
    where exposures.event_day <= {{ frontier_after() }}
) as touched
inner join {{ source('catalog', 'experiments') }} as experiments using (experiment_id)
{{ join_links('touched') }}
union
select experiments.experiment_id, moved.unit_id
from work.moved_units as moved
cross join {{ source('catalog', 'experiments') }} as experiments
where experiments.unit_type = 'user'
{% endif %}
