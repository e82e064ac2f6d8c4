{{ config(
    materialized='replace',
    key=['experiment_id', 'unit_id'],
    scope='exposure_scope',
    partition_by='exposure_day',
    on_change='note_changed_exposures',
    meta={'shards': 'united'}
) }}
-- depends_on: {{ ref('int_touched_exposures') }}
{% set reset = is_reset() %}
with
qualified as (
    {{ qualified_exposures() }}
    {%- if not reset %}
    inner join {{ ref('int_touched_exposures') }} as touched
        on events.experiment_id = touched.experiment_id and {{ linked_unit('events') }} = touched.unit_id
    {%- endif %}
    where events.rejected is null
    {%- if not reset %}
        and events.event_day > {{ frontier_before() }}
    union all
    {{ qualified_exposures() }}
    inner join {{ ref('int_touched_exposures') }} as touched
        on events.experiment_id = touched.experiment_id
            and {{ linked_unit('events') }} = touched.unit_id
            and touched.needs_history
    where events.rejected is null and events.event_day <= {{ frontier_before() }}
    union all
    -- The row that stands is the first exposure of all finished days.
    select
        exposures.experiment_id, exposures.id_kind, exposures.variant_id, exposures.exposed_at,
        exposures.exposure_event_id, exposures.country, exposures.platform, exposures.device, exposures.session_id,
        exposures.sdk_name, exposures.sdk_version, exposures.segments, exposures.logged_id, exposures.unit_id
    from {{ this }} as exposures
    inner join {{ ref('int_touched_exposures') }} as touched
        on exposures.experiment_id = touched.experiment_id
            and exposures.unit_id = touched.unit_id
            and not touched.needs_history
            and touched.may_stand
            and exposures.exposure_day <= {{ frontier_before() }}
    {%- endif %}
),

activations as (
    select experiments.experiment_id, {{ linked_unit('events') }} as unit_id, min(events.occurred_at) as activated_at
    from {{ ref('int_measure_events') }} as events
    {{ join_links('events') }}
    inner join {{ source('catalog', 'experiments') }} as experiments
        on events.unit_type = experiments.unit_type
            and events.measure = '@' || experiments.activation_event
            and events.occurred_at >= experiments.start_at
            and events.occurred_at < coalesce(experiments.end_at, timestamp 'infinity')
    group by experiments.experiment_id, {{ linked_unit('events') }}
),

-- Whoever is overridden knows more than one variant, under whichever id: what an overridden user saw under an anonymous id,
-- and what the user of an overridden anonymous id saw.
overridden as (
    select overrides.experiment_id, unnest([overrides.unit_id, links.user_id]) as unit_id
    from {{ source('catalog', 'overrides') }} as overrides
    inner join {{ source('catalog', 'experiments') }} as experiments
        on overrides.experiment_id = experiments.experiment_id
    left join {{ ref('int_identity_links') }} as links
        on experiments.unit_type = 'user' and overrides.unit_id = links.anonymous_id
),

in_scope as (
    select qualified.*
    from qualified
    inner join {{ source('catalog', 'experiments') }} as experiments
        on qualified.experiment_id = experiments.experiment_id
    left join activations
        on qualified.experiment_id = activations.experiment_id and qualified.unit_id = activations.unit_id
    where (experiments.activation_event is null or qualified.occurred_at >= activations.activated_at)
        and not exists (
            select 1
            from overridden
            where overridden.experiment_id = qualified.experiment_id and overridden.unit_id = qualified.unit_id
        )
),

firsts as (
    select *
    from in_scope
    qualify row_number() over (partition by experiment_id, unit_id order by occurred_at, event_id) = 1
),

in_two_arms as (
    select experiment_id, unit_id
    from in_scope
    group by experiment_id, unit_id
    having min(variant_id) <> max(variant_id)
),

crossed as (
    select in_scope.experiment_id, in_scope.unit_id, min(in_scope.occurred_at) as second_arm_at
    from in_scope
    inner join in_two_arms using (experiment_id, unit_id)
    inner join firsts using (experiment_id, unit_id)
    where in_scope.variant_id <> firsts.variant_id
    group by in_scope.experiment_id, in_scope.unit_id
),

-- Where units keep their arm, the phase that counts is the one whose weights hold for the unit's traffic shard.
placed as (
    select
        firsts.*,
        case
            when experiments.sticky
                then family_shard(experiments.sdk, experiments.traffic_salt, firsts.logged_id)
        end as traffic_shard
    from firsts
    inner join {{ source('catalog', 'experiments') }} as experiments on firsts.experiment_id = experiments.experiment_id
)

select
    placed.experiment_id,
    placed.unit_id,
    placed.variant_id,
    placed.occurred_at as exposed_at,
    placed.event_id as exposure_event_id,
    cast(placed.occurred_at as date) as exposure_day,
    phases.phase + {{ leaf_of('phases.leaves', 'placed.segments') }} as phase,
    crossed.second_arm_at,
    placed.id_kind,
    placed.logged_id,
    placed.country,
    placed.platform,
    placed.device,
    placed.session_id,
    placed.sdk_name,
    placed.sdk_version,
    placed.segments
from placed
left join crossed
    on placed.experiment_id = crossed.experiment_id and placed.unit_id = crossed.unit_id
left join {{ source('catalog', 'phases') }} as phases
    on placed.experiment_id = phases.experiment_id
        and phases.leaf is null
        and placed.occurred_at >= phases.start_at
        and placed.occurred_at < coalesce(phases.end_at, timestamp 'infinity')
        and (
            phases.band_from is null
            or placed.traffic_shard >= phases.band_from and placed.traffic_shard < phases.band_to
        )
