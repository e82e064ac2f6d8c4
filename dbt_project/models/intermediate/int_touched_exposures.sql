{{ config(meta={'shards': 'kept'}) }}
-- The exposure rows that may have changed. Most are new: for them only the new days have to be looked at.
-- depends_on: {{ ref('int_measure_events') }}
-- depends_on: {{ ref('int_exposure_events') }}
-- depends_on: {{ ref('int_identity_links') }}
{% if is_reset() -%}
select
    cast(null as varchar) as experiment_id,
    cast(null as varchar) as unit_id,
    true as needs_history,
    true as may_stand
where false
{%- else -%}
with
new_events as (
    select events.experiment_id, {{ linked_unit('events') }} as unit_id, events.variant_id
    from {{ ref('int_exposure_events') }} as events
    {{ join_links('events') }}
    where events.event_day > {{ frontier_before() }} and events.rejected is null
),

-- As of the finished days: a killed run may have left rows of later days behind.
standing as (
    select experiment_id, unit_id, variant_id, second_arm_at
    from {{ current_exposures() }}
    where exposure_day <= {{ frontier_before() }}
),

-- What a unit does on new days changes its row only if it has none yet, or is now in a second arm.
new_keys as (
    select distinct new_events.experiment_id, new_events.unit_id, standing.unit_id is not null as may_stand
    from new_events
    left join standing
        on new_events.experiment_id = standing.experiment_id and new_events.unit_id = standing.unit_id
    where standing.unit_id is null
        or (
            standing.variant_id <> new_events.variant_id
            and coalesce(standing.second_arm_at, timestamp 'infinity') >= {{ frontier_before() }} + 1
        )
    union
    select experiment_id, unit_id, true
    from standing
    where second_arm_at >= {{ frontier_before() }} + 1
),

moved as (
    select distinct moved.unit_id from work.moved_units as moved
),

activated as (
    select experiments.experiment_id, {{ linked_unit('touched') }} as unit_id
    from (
        select experiments.experiment_id, experiments.unit_type, touched.id_kind, touched.raw_id
        from landing.touched_units as touched
        inner join {{ source('catalog', 'experiments') }} as experiments
            on touched.id_kind in (experiments.unit_type, if(experiments.unit_type = 'user', 'anonymous', ''))
                -- What exposes to a holdout names no experiment; on new days it is among the new events all the same.
                and (
                    experiments.activation_event is not null
                    or experiments.holdout_id is not null and touched.event_day <= {{ frontier_before() }}
                )
        where touched.event_day <= {{ frontier_after() }}
    ) as touched
    inner join {{ source('catalog', 'experiments') }} as experiments
        on touched.experiment_id = experiments.experiment_id
    {{ join_links('touched') }}
),

late as (
    select touched.experiment_id, {{ linked_unit('touched') }} as unit_id
    from (
        select exposures.experiment_id, exposures.id_kind, exposures.raw_id, experiments.unit_type
        from landing.touched_exposures as exposures
        inner join {{ source('catalog', 'experiments') }} as experiments
            on exposures.experiment_id = experiments.experiment_id
        where exposures.event_day <= {{ frontier_before() }}
    ) as touched
    {{ join_links('touched') }}
),

keys as (
    select experiment_id, unit_id, false as needs_history, may_stand from new_keys
    union all
    select experiment_id, unit_id, true, true from late
    union all
    select experiment_id, unit_id, true, true from activated
    union all
    select experiments.experiment_id, moved.unit_id, true, true
    from moved
    cross join {{ source('catalog', 'experiments') }} as experiments
    where experiments.unit_type = 'user'
    union all
    select events.experiment_id, {{ linked_unit('events') }}, true, true
    from {{ ref('int_exposure_events') }} as events
    {{ join_links('events') }}
    where events.experiment_id in (select changed.experiment_id from work.changed_experiments as changed)
)

select
    experiment_id,
    unit_id,
    bool_or(needs_history) as needs_history,
    bool_or(may_stand) as may_stand
from keys
group by experiment_id, unit_id
{%- endif %}
