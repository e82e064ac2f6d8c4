"""Held-out units that were served what the holdout covers, by the covered experiments' audits and logs."""

from typing import Final

# A unit leaks from the first day on which it is both seen as held out and known to be served: an exposure that should
# not be, or one after the end, when what was shipped is served and no exposure counts any more.
LEAKS: Final = """
    with measuring as (
        select x.experiment_id, x.holdout_id, v.variant_id
        from catalog.experiments as x
        inner join catalog.variants as v on x.experiment_id = v.experiment_id and v.is_control
        where x.holdout_id is not null
    ),
    covered as (
        select distinct m.experiment_id as measuring_id, h.experiment_id, x.sdk, x.end_at, h.salt, h.shards,
            coalesce(h.start_at, timestamp '-infinity') as from_at, coalesce(h.end_at, timestamp 'infinity') as to_at
        from measuring as m
        inner join catalog.holdouts as h on m.holdout_id = h.holdout_id
        inner join catalog.experiments as x on h.experiment_id = x.experiment_id
    ),
    served as (
        select c.measuring_id, a.unit_id, min(a.assigned_at)::date as day
        from fct_assignments as a
        inner join covered as c on a.experiment_id = c.experiment_id
        where a.reason = 'holdout'
        group by all
        union all
        select c.measuring_id, coalesce(links.user_id, e.raw_id), min(e.event_day)
        from int_exposure_events as e
        inner join covered as c
            on e.experiment_id = c.experiment_id and e.occurred_at >= greatest(c.end_at, c.from_at)
            and e.occurred_at < c.to_at
        inner join catalog.variants as v
            on e.experiment_id = v.experiment_id and e.variant_id = v.variant_id and not v.is_control
        left join int_identity_links as links
            on e.unit_type = 'user' and e.id_kind = 'anonymous' and e.raw_id = links.anonymous_id
        where e.rejected = 'outside_period' and family_shard(c.sdk, c.salt, e.raw_id) < c.shards
        group by all
    ),
    leaked as (
        select measuring_id, unit_id, min(day) as day from served group by all
    )
    select f.experiment_id, greatest(f.exposure_day, l.day) as day, count(*) as units
    from leaked as l
    inner join measuring as m on l.measuring_id = m.experiment_id
    inner join fct_exposures as f
        on m.experiment_id = f.experiment_id and m.variant_id = f.variant_id and l.unit_id = f.unit_id
    group by all
"""
