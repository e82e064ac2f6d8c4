{{ config(
    materialized='replace',
    days='outstanding_exposure_days',
    scope='touched_exposure_events',
    meta={'shards': 'kept'}
) }}
-- depends_on: {{ ref('base_events') }}
with
shown as (
    select
        events.*,
        events.experiment_id as shown_experiment_id,
        events.variation_id as shown_variant_id,
        false as is_gated
    from {{ ref('base_events') }} as events
    left join {{ source('catalog', 'experiments') }} as experiments
        on events.experiment_id = experiments.experiment_id
    where events.event_day = {{ the_day() }}
        and events.experiment_id is not null
        and events.event_name = coalesce(experiments.exposure_event, 'experiment_viewed')
        and experiments.holdout_id is null
    union all
    -- An event that exposes to a holdout logs no variant: the gate tells the side, of the unit's own id alone. It comes
    -- anyway, so outside the period it is no exposure that was lost.
    select
        events.*,
        experiments.experiment_id as shown_experiment_id,
        weights.variant_id as shown_variant_id,
        true as is_gated
    from {{ ref('base_events') }} as events
    inner join {{ source('catalog', 'experiments') }} as experiments
        on experiments.holdout_id is not null and events.event_name = experiments.exposure_event
    inner join {{ source('catalog', 'phase_weights') }} as weights
        on experiments.experiment_id = weights.experiment_id
            and family_shard(experiments.sdk, experiments.split_salt, {{ own_id('experiments') }}) >= weights.shard_from
            and family_shard(experiments.sdk, experiments.split_salt, {{ own_id('experiments') }}) < weights.shard_to
    inner join {{ source('catalog', 'periods') }} as periods
        on experiments.experiment_id = periods.experiment_id
            and events.occurred_at >= periods.start_at
            and events.occurred_at < coalesce(periods.end_at, timestamp 'infinity')
    where events.event_day = {{ the_day() }}
),

exposure_like as (
    select
        events.*,
        coalesce(experiments.unit_type, 'user') as unit_type,
        experiments.experiment_id is not null as is_known,
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
    from shown as events
    left join {{ source('catalog', 'experiments') }} as experiments
        on events.shown_experiment_id = experiments.experiment_id
    left join (
        select experiment_id, string_agg(segment, ',' order by segment) as signature
        from {{ source('catalog', 'experiment_segments') }}
        group by experiment_id
    ) as signatures
        on events.shown_experiment_id = signatures.experiment_id
    where {{ of_this_shard("coalesce(experiments.unit_type, 'user')") }}
),

judged as (
    select
        events.*,
        case
            when events.filtered_by is not null then 'filter:' || events.filtered_by
            when not events.is_known then 'unknown_experiment'
            when events.raw_id is null then 'no_unit_id'
            when variants.variant_id is null then 'invalid_variation'
            when periods.experiment_id is null then 'outside_period'
            when overrides.unit_id is not null then 'override'
        end as rejected
    from exposure_like as events
    left join {{ source('catalog', 'variants') }} as variants
        on events.shown_experiment_id = variants.experiment_id and events.shown_variant_id = variants.variant_id
    left join {{ source('catalog', 'periods') }} as periods
        on events.shown_experiment_id = periods.experiment_id
            and events.occurred_at >= periods.start_at
            and events.occurred_at < coalesce(periods.end_at, timestamp 'infinity')
    left join {{ source('catalog', 'overrides') }} as overrides
        on events.shown_experiment_id = overrides.experiment_id and events.raw_id = overrides.unit_id
    where {{ on_finished_day(
        is_touched_id('events.id_kind', 'events.raw_id')
        ~ ' or events.raw_id is null'
        ~ ' or events.shown_experiment_id in (select changed.experiment_id from work.changed_experiments as changed)') }}
)

select
    events.event_day,
    events.shown_experiment_id as experiment_id,
    events.unit_type,
    events.id_kind,
    events.raw_id,
    events.shown_variant_id as variant_id,
    events.rejected,
    events.occurred_at,
    events.event_id,
    events.country,
    events.platform,
    events.device,
    events.session_id,
    events.sdk_name,
    events.sdk_version,
    {{ segment_levels() }} as segments
from judged as events
-- Events that come anyway are many, and the first of a day says all that is asked of them.
qualify not events.is_gated
    or row_number() over (
        partition by events.shown_experiment_id, events.raw_id, events.rejected
        order by events.occurred_at, events.event_id
    ) = 1
