-- Grain: one row per event day. What the expectations look at, from one scan of the day.
select
    e.event_day,
    count(*) as rows,
    count(*) - count(distinct e.event_id) as repeated_ids,
    count(distinct coalesce(e.user_id, e.anonymous_id, e.session_id)) as units,
    count(*) filter (e.user_id is null and e.anonymous_id is null and e.session_id is null) / count(*)
        as share_without_unit,
    count(*) filter (e.event_name is null) / count(*) as share_without_name,
    count(*) filter (e.experiment_id is not null) as exposures,
    count(*) filter (e.experiment_id is not null and e.variation_id is null) as exposures_without_variation,
    count(e.value) / count(*) as share_with_value,
    min(e.value)::double as min_value,
    max(e.value)::double as max_value,
    min(e.occurred_at) as first_instant,
    max(e.occurred_at) as last_instant,
    count(*) filter (e.occurred_at::date <> e.event_day) as off_day,
    count(*) filter (m.arrived_at >= e.event_day + 2) / count(*) as share_late,
    max(date_diff('day', e.event_day, m.arrived_at::date)) as max_days_late,
    count(distinct e.file_hash) as files
from landing.events_between($first::date, $last::date) as e
inner join (select file_hash, arrived_at from landing.manifest where status = 'taken') as m using (file_hash)
group by e.event_day
