"""Units lost at each step from the landed row to the exposure that counts, by the day on which it was known."""

from typing import Final

# Units with an exposure that waits for their activation count from their first such exposure on, and no more from the
# day on which they qualify, so that the rows up to a cut-off add up to what was not activated by then. An anonymous
# id that was exposed on its own is lost when a link joins it to a user who was exposed before.
LOSSES: Final = """
    with waiting as (
        select
            e.experiment_id,
            coalesce(links.user_id, e.raw_id) as unit_id,
            arg_min(e.variant_id, (e.event_day, e.variant_id)) as variant_id,
            min(e.event_day) as event_day
        from int_exposure_events as e
        inner join catalog.experiments as x on e.experiment_id = x.experiment_id and x.activation_event is not null
        left join int_identity_links as links
            on e.unit_type = 'user' and e.id_kind = 'anonymous' and e.raw_id = links.anonymous_id
        where e.rejected is null
            and (e.experiment_id, coalesce(links.user_id, e.raw_id)) not in (
                select o.experiment_id, unnest([o.unit_id, owners.user_id])
                from catalog.overrides as o
                left join int_identity_links as owners on o.unit_id = owners.anonymous_id
            )
        group by all
    ),
    joined as (
        select
            e.experiment_id,
            arg_min(e.variant_id, (e.occurred_at, e.event_id)) as variant_id,
            greatest(min(e.event_day), any_value(links.linked)[1]::date) as event_day
        from int_exposure_events as e
        inner join int_identity_links as links
            on e.unit_type = 'user' and e.id_kind = 'anonymous' and e.raw_id = links.anonymous_id
        inner join fct_exposures as f on e.experiment_id = f.experiment_id and links.user_id = f.unit_id
        where e.rejected is null
        group by e.experiment_id, e.raw_id
        having min(e.occurred_at) > any_value(f.exposed_at)
    )
    select experiment_id, variant_id, due_variant_id, step, event_day, units, events
    from fct_losses where event_day is not null
    union all
    select experiment_id, variant_id, null, step, event_day, units, events from results.landing_losses
    union all
    select experiment_id, variant_id, null, 'not_activated', event_day, count(*), null from waiting group by all
    union all
    select w.experiment_id, w.variant_id, null, 'not_activated', e.exposure_day, -count(*), null
    from waiting as w
    inner join fct_exposures as e on w.experiment_id = e.experiment_id and w.unit_id = e.unit_id
    group by all
    union all
    select experiment_id, variant_id, null, 'identity', event_day, count(*), null from joined group by all
"""
