{{ config(
    materialized='replace',
    key=['experiment_id', 'unit_id'],
    scope='exposure_scope',
    partition_by='exposure_day',
    on_change='note_changed_exposures'
) }}
-- depends_on: {{ ref('int_touched_exposures') }}
with
qualified as (
    select
        events.experiment_id,
        {{ linked_unit('events') }} as unit_id,
        events.variant_id,
        events.seen,
        events.id_kind,
        events.raw_id,
        events.attributes
    from {{ ref('int_exposure_events') }} as events
    {{ join_links('events') }}
    where events.rejected is null
),

activations as (
    {% for unit_type in unit_types() -%}
    select
        events.experiment_id,
        {{ linked_unit('events') }} as unit_id,
        min(events.occurred_at) as activated_at
    from (
        select
            experiments.experiment_id, events.occurred_at, experiments.unit_type,
            {{ raw_kind(unit_type) }} as id_kind, {{ raw_id(unit_type) }} as raw_id
        from {{ ref('stg_events') }} as events
        inner join {{ source('catalog', 'experiments') }} as experiments
            on events.event_name = experiments.activation_event
                and experiments.unit_type = '{{ unit_type }}'
                and events.occurred_at >= experiments.start_at
                and events.occurred_at < coalesce(experiments.end_at, timestamp 'infinity')
        where events.event_day <= {{ frontier_after() }}
            and events.event_name in ({{ activation_events() }})
    ) as events
    {{ join_links('events') }}
    group by all
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

in_scope as (
    select qualified.*
    from qualified
    inner join {{ source('catalog', 'experiments') }} as experiments using (experiment_id)
    left join activations using (experiment_id, unit_id)
    where (experiments.activation_event is null or qualified.seen[1] >= activations.activated_at)
        and {{ in_scope(exposure_scope()) }}
),

arms as (
    select
        experiment_id,
        unit_id,
        variant_id,
        min(seen) as seen,
        arg_min({id_kind: id_kind, raw_id: raw_id, attributes: attributes}, seen) as first_event
    from in_scope
    group by experiment_id, unit_id, variant_id
),

units as (
    select
        experiment_id,
        unit_id,
        arg_min(variant_id, seen) as variant_id,
        min(seen) as seen,
        arg_min(first_event, seen) as first_event,
        min(seen, 2)[2][1] as second_arm_at
    from arms
    group by experiment_id, unit_id
)

select
    units.experiment_id,
    units.unit_id,
    units.variant_id,
    units.seen[1] as exposed_at,
    units.seen[2] as exposure_event_id,
    cast(units.seen[1] as date) as exposure_day,
    phases.phase,
    units.second_arm_at,
    units.first_event.id_kind,
    units.first_event.raw_id as logged_id,
    units.first_event.attributes.country,
    units.first_event.attributes.platform,
    units.first_event.attributes.device,
    units.first_event.attributes.session_id,
    units.first_event.attributes.sdk_name,
    units.first_event.attributes.sdk_version,
    units.first_event.attributes.segments
from units
left join {{ source('catalog', 'phases') }} as phases
    on units.experiment_id = phases.experiment_id
        and units.seen[1] >= phases.start_at
        and units.seen[1] < coalesce(phases.end_at, timestamp 'infinity')
