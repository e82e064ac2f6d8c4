{{ config(meta={'shards': 'kept'}) }}
-- The units whose open windows saw anything new in this run: experiment × unit. Without open metrics there are none.
{% set reset = is_reset() %}
{% set has_open = metric_definitions() | selectattr('end', 'none') | list | length > 0 %}
with
experiments as (
    select
        experiment_id, unit_type, max(cuped_days) as cuped_days,
        bool_or(experiment_id in (select c.experiment_id from work.changed_experiments as c)
            or metric in (select c.metric from work.changed_metrics as c)) as is_redefined
    from {{ ref('int_metric_windows') }}
    where is_open
    group by experiment_id, unit_type
),

touched as (
    {% for unit_type in ['user', 'anonymous', 'session'] -%}
    select distinct touched.unit_type, {{ linked_unit('touched') }} as unit_id
    from (
        select '{{ unit_type }}' as unit_type, id_kind, raw_id
        from landing.touched_units
        where event_day <= {{ frontier_after() }}
            and id_kind in ({{ "'user', 'anonymous'" if unit_type == 'user' else "'" ~ unit_type ~ "'" }})
    ) as touched
    {{ join_links('touched') }}
    {{ 'union all' if not loop.last }}
    {% endfor %}
)

select
    exposures.experiment_id,
    exposures.unit_id,
    exposures.variant_id,
    exposures.exposed_at,
    exposures.second_arm_at,
    coalesce(exposures.phase, -1) as phase,
    exposures.segments,
    experiments.unit_type,
    experiments.cuped_days
from {{ ref('fct_exposures') }} as exposures
inner join experiments using (experiment_id)
where {{ has_open }}
    and (
        {{ reset }}
        or experiments.is_redefined
        or (unit_type, unit_id) in (select touched.unit_type, touched.unit_id from touched)
        or (experiment_id, unit_id) in (select c.experiment_id, c.unit_id from work.changed_exposures as c)
        or (unit_type = 'user' and unit_id in (select moved.unit_id from work.moved_units as moved))
    )
