{{ config(meta={'shards': 'united'}) }}
-- A full pass over the longest window, not an increment: each day moves every window, so nearly every unit changes.
-- Without behavioural segments there is nothing to pass over.
-- depends_on: {{ ref('stg_events') }}
-- depends_on: {{ ref('int_identity_links') }}
-- depends_on: {{ source('catalog', 'segment_rules') }}
{%- set units = behaving_units() %}
{%- if not units %}
select
    cast(null as varchar) as unit_type,
    cast(null as varchar) as unit_id,
    cast(null as varchar) as segment_id,
    cast(null as varchar) as definition_hash,
    cast(null as boolean) as is_member,
    cast(null as struct(attribute varchar, amount double, label varchar)[]) as measured
where false
{%- else %}
with
acts as (
    {%- for row in units %}
    select
        events.*,
        {{ linked_unit('events') }} as unit_id
    from (
        select
            *,
            '{{ row[0] }}' as unit_type,
            {{ raw_kind(row[0]) }} as id_kind,
            {{ raw_id(row[0]) }} as raw_id
        from {{ ref('stg_events') }} as events
        where event_day > {{ frontier_after() }} - {{ row[1] }} and event_day <= {{ frontier_after() }}
    ) as events
    {{ join_links('events') }}
    where events.raw_id is not null
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

rules as (
    select * from {{ source('catalog', 'segment_rules') }}
),

matched as (
    select
        rules.segment_id,
        rules.rule,
        rules.measure,
        acts.unit_id,
        acts.occurred_at,
        acts.event_day,
        acts.session_id,
        acts.value,
        {{ rule_column() }} as of_value
    from acts
    inner join rules
        on
            acts.unit_type = rules.unit_type
            and (rules.event_name is null or acts.event_name = rules.event_name)
            and acts.event_day > {{ frontier_after() }} - rules.days
),

totals as (
    select
        segment_id,
        rule,
        unit_id,
        count(*) as events,
        count(distinct case when measure = 'days' then event_day end) as active_days,
        sum(value) as total,
        max(occurred_at) as last_at,
        count(distinct case when measure = 'distinct' then of_value end) as different,
        count(distinct case when measure like 'session%' then session_id end) as sessions,
        count(session_id) as in_sessions
    from matched
    group by all
),

session_lengths as (
    select
        segment_id,
        rule,
        unit_id,
        sum(microseconds) as microseconds
    from (
        select
            segment_id,
            rule,
            unit_id,
            session_id,
            epoch_us(max(occurred_at)) - epoch_us(min(occurred_at)) as microseconds
        from matched
        where measure = 'session_minutes' and session_id is not null
        group by all
    )
    group by all
),

favourites as (
    select
        segment_id,
        rule,
        unit_id,
        arg_min(of_value, (-times, of_value)) as favourite
    from (
        select
            segment_id,
            rule,
            unit_id,
            of_value,
            count(*) as times
        from matched
        where measure = 'top' and of_value is not null
        group by all
    )
    group by all
),

measured as (
    select
        seen.unit_id,
        rules.*,
        cast(case rules.measure
            when 'count' then coalesce(totals.events, 0)
            when 'days' then coalesce(totals.active_days, 0)
            when 'value' then cast(coalesce(totals.total, 0) as double)
            when 'recency' then
                (epoch_us(cast({{ frontier_after() }} + 1 as timestamp)) - epoch_us(totals.last_at)) / 86400000000
            when 'distinct' then coalesce(totals.different, 0)
            when 'sessions' then coalesce(totals.sessions, 0)
            when 'session_events' then totals.in_sessions / nullif(totals.sessions, 0)
            when 'session_minutes' then session_lengths.microseconds / (nullif(totals.sessions, 0) * 60000000)
        end as double) as amount,
        case
            when rules.measure = 'top' then favourites.favourite
            when rules.measure <> 'level' then null
            when coalesce(totals.events, 0) >= rules.from_high then 'high'
            when coalesce(totals.events, 0) >= rules.from_medium then 'medium'
            else 'low'
        end as label
    from (select distinct unit_type, unit_id from acts) as seen
    inner join rules on seen.unit_type = rules.unit_type
    left join totals
        on rules.segment_id = totals.segment_id and rules.rule = totals.rule and seen.unit_id = totals.unit_id
    left join session_lengths
        on
            rules.segment_id = session_lengths.segment_id
            and rules.rule = session_lengths.rule
            and seen.unit_id = session_lengths.unit_id
    left join favourites
        on
            rules.segment_id = favourites.segment_id
            and rules.rule = favourites.rule
            and seen.unit_id = favourites.unit_id
),

tested as (
    select
        *,
        coalesce(case
            when texts is not null then list_contains(texts, label)
            else
                (low is null or amount > low or (amount = low and not low_is_out))
                and (high is null or amount < high or (amount = high and not high_is_out))
        end, false) as holds
    from measured
)

select
    unit_type,
    unit_id,
    segment_id,
    definition_hash,
    case combine
        when 'all' then bool_and(holds) filter (where is_test)
        else bool_or(holds) filter (where is_test)
    end as is_member,
    list({attribute: attribute, amount: amount, label: label} order by rule) as measured
from tested
group by unit_type, unit_id, segment_id, definition_hash, combine
{%- endif %}
