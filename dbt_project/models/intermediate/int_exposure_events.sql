{{ config(
    materialized='replace',
    days='outstanding_exposure_days',
    scope='touched_exposure_events'
) }}
-- depends_on: {{ ref('base_events') }}
with
exposure_like as (
    select
        events.*,
        coalesce(experiments.unit_type, 'user') as unit_type,
        experiments.experiment_id is not null as is_known,
        experiments.activation_event is not null as has_activation,
        signatures.signature,
        case coalesce(experiments.unit_type, 'user')
            {%- for unit_type in ['user', 'anonymous', 'session'] %}
            when '{{ unit_type }}' then {{ raw_kind(unit_type) }}
            {%- endfor %}
        end as id_kind,
        case coalesce(experiments.unit_type, 'user')
            {%- for unit_type in ['user', 'anonymous', 'session'] %}
            when '{{ unit_type }}' then {{ raw_id(unit_type) }}
            {%- endfor %}
        end as raw_id
    from {{ ref('base_events') }} as events
    left join {{ source('catalog', 'experiments') }} as experiments using (experiment_id)
    left join (
        select experiment_id, string_agg(segment, ',' order by segment) as signature
        from {{ source('catalog', 'experiment_segments') }}
        group by experiment_id
    ) as signatures using (experiment_id)
    where events.event_day = {{ the_day() }}
        and events.experiment_id is not null
        and events.event_name = coalesce(experiments.exposure_event, 'experiment_viewed')
),

judged as (
    select
        events.*,
        case
            when events.filtered_by is not null then 'filter:' || events.filtered_by
            when not events.is_known then 'unknown_experiment'
            when events.raw_id is null then 'no_unit_id'
            when not exists (
                select 1 from {{ source('catalog', 'variants') }} as variants
                where variants.experiment_id = events.experiment_id and variants.variant_id = events.variation_id
            ) then 'invalid_variation'
            when not exists (
                select 1 from {{ source('catalog', 'periods') }} as periods
                where periods.experiment_id = events.experiment_id
                    and events.occurred_at >= periods.start_at
                    and events.occurred_at < coalesce(periods.end_at, timestamp 'infinity')
            ) then 'outside_period'
        end as rejected
    from exposure_like as events
    where {{ is_touched('id_kind', 'raw_id') }}
        or experiment_id in (select changed.experiment_id from work.changed_experiments as changed)
        or raw_id is null
)

select
    event_day,
    experiment_id,
    unit_type,
    id_kind,
    raw_id,
    variation_id as variant_id,
    rejected,
    count(*) as events,
    min((occurred_at, event_id)) as seen,
    arg_min({
        country: country, platform: platform, device: device, session_id: session_id,
        sdk_name: sdk_name, sdk_version: sdk_version, segments: {{ segment_levels() }}
    }, (occurred_at, event_id)) as attributes
from judged
-- With an activation event the first exposure of the day may come too early: each one is kept.
group by
    event_day, experiment_id, unit_type, id_kind, raw_id, variation_id, rejected,
    case when has_activation and rejected is null then event_id end
