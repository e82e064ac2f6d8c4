{#- Exposure events with the unit they stand for, up to the join; the caller adds its scope. -#}
{%- macro qualified_exposures() -%}
    select
        events.experiment_id, events.id_kind, events.variant_id, events.occurred_at,
        events.event_id, events.country, events.platform, events.device, events.session_id,
        events.sdk_name, events.sdk_version, events.segments, events.raw_id as logged_id,
        {{ linked_unit('events') }} as unit_id
    from {{ ref('int_exposure_events') }} as events
    {{ join_links('events') }}
{%- endmacro -%}


{#- Exposures that may be paired with those of another experiment; the sides of a measured holdout are meant to share nothing. -#}
{%- macro paired_exposures() -%}
    select
        exposures.experiment_id, exposures.phase, exposures.variant_id, exposures.unit_id,
        exposures.exposed_at, exposures.exposure_day, experiments.unit_type
    from {{ ref('fct_exposures') }} as exposures
    inner join {{ source('catalog', 'experiments') }} as experiments
        on exposures.experiment_id = experiments.experiment_id and experiments.holdout_id is null
{%- endmacro -%}


{#- The exposures as they stand, for models that fct_exposures itself is built from. -#}
{%- macro current_exposures() -%}
  {{- return(ref('int_exposure_events') | replace('int_exposure_events', 'fct_exposures')) -}}
{%- endmacro -%}
