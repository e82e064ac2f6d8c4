{{ config(materialized='table', meta={'shards': 'added', 'sums': ['units', 'events']}) }}
with
overridden as (
    select overrides.experiment_id, unnest([overrides.unit_id, links.user_id]) as unit_id
    from {{ source('catalog', 'overrides') }} as overrides
    left join {{ ref('int_identity_links') }} as links on overrides.unit_id = links.anonymous_id
),

-- Units with an exposure that waits for their activation: from their first such exposure on, and no more from the day on
-- which they qualify, so that the rows up to a cut-off add up to what was not activated by then.
waiting as (
    select
        events.experiment_id,
        {{ linked_unit('events') }} as unit_id,
        arg_min(events.variant_id, (events.event_day, events.variant_id)) as variant_id,
        min(events.event_day) as event_day
    from {{ ref('int_exposure_events') }} as events
    inner join {{ source('catalog', 'experiments') }} as experiments
        on events.experiment_id = experiments.experiment_id and experiments.activation_event is not null
    {{ join_links('events') }}
    where events.rejected is null
        and (events.experiment_id, {{ linked_unit('events') }}) not in (
            select overridden.experiment_id, overridden.unit_id from overridden
        )
    group by events.experiment_id, {{ linked_unit('events') }}
),

-- An anonymous id that was exposed on its own is lost when a link joins it to a user who was exposed before.
joined as (
    select
        events.experiment_id,
        arg_min(events.variant_id, (events.occurred_at, events.event_id)) as variant_id,
        greatest(min(events.event_day), cast(any_value(links.linked)[1] as date)) as event_day
    from {{ ref('int_exposure_events') }} as events
    inner join {{ ref('int_identity_links') }} as links
        on events.unit_type = 'user' and events.id_kind = 'anonymous' and events.raw_id = links.anonymous_id
    inner join {{ ref('fct_exposures') }} as exposures
        on events.experiment_id = exposures.experiment_id and links.user_id = exposures.unit_id
    where events.rejected is null
    group by events.experiment_id, events.raw_id
    having min(events.occurred_at) > any_value(exposures.exposed_at)
),

lost as (
    select experiment_id, variant_id, due_variant_id, step, event_day, lost_day, units, events
    from {{ ref('int_unqualified_losses') }}
    where event_day is not null
    union all
    select experiment_id, variant_id, null, 'not_activated', event_day, event_day as lost_day, 1, null
    from waiting
    union all
    select
        waiting.experiment_id, waiting.variant_id, null, 'not_activated', exposures.exposure_day, waiting.event_day, -1, null
    from waiting
    inner join {{ ref('fct_exposures') }} as exposures
        on waiting.experiment_id = exposures.experiment_id and waiting.unit_id = exposures.unit_id
    union all
    select experiment_id, variant_id, null, 'identity', event_day, event_day as lost_day, 1, null
    from joined
)

select
    experiment_id,
    variant_id,
    due_variant_id,
    step,
    event_day,
    lost_day,
    cast(sum(units) as bigint) as units,
    cast(sum(events) as bigint) as events
from lost
group by experiment_id, variant_id, due_variant_id, step, event_day, lost_day
