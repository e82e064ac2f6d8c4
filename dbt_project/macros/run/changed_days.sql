{#- Scopes of models that keep a row per exposure day: literal days, so that neither lake nor facts are read for others. -#}

{#- The exposure days on which this run changes an exposure, or an event of the same day. -#}
{%- macro changed_days() -%}
  {%- if not can_query() -%}{{- return('null') -}}{%- endif -%}
  {{- return(day_literals("
    select cast(day as date) from generate_series(
      cast(greatest(" ~ frontier_before() ~ " + 1, (select min(event_day) from landing.days)) as timestamp),
      cast(" ~ frontier_after() ~ " as timestamp), interval 1 day) as days (day)
    union select cast(exposed_at as date) from work.changed_exposures
    union select event_day from landing.touched_units where event_day <= " ~ frontier_before())) -}}
{%- endmacro -%}


{%- macro day_literals(query) -%}
  {%- set days = [] -%}
  {%- for row in standing_rows('select day from (' ~ query ~ ') as days (day) where day is not null order by day') -%}
    {%- do days.append("date '" ~ row[0] ~ "'") -%}
  {%- endfor -%}
  {{- return(days | join(', ') or 'null') -}}
{%- endmacro -%}


{#- Rows of an experiment whose definition changed, or one of its primary metrics; nobody is asked where none did. -#}
{%- macro or_primary_redefined() -%}
  {%- if any_definition_changed() %}
  or experiment_id in (
    select changed.experiment_id from work.changed_experiments as changed
    union all
    select used.experiment_id from {{ source('catalog', 'experiment_metrics') }} as used
    inner join work.changed_metrics using (metric) where used.role = 'primary'
  )
  {%- endif -%}
{%- endmacro -%}


{%- macro early_outcome_scope() -%}
  exposure_day in ({{ early_outcome_days() }}) {{- or_primary_redefined() }}
{%- endmacro -%}


{#- A link that moves a unit brings it outcomes of the days on which it was exposed. -#}
{%- macro early_outcome_days() -%}
  {%- if not can_query() -%}{{- return('null') -}}{%- endif -%}
  {{- return(changed_days() ~ ', ' ~ day_literals(moved_exposure_days())) -}}
{%- endmacro -%}


{#- The events that the model has to read: of all days where a definition is applied anew. -#}
{%- macro in_early_outcome_days(column) -%}
  {{- return('true' if is_reset() or any_definition_changed() else column ~ ' in (' ~ early_outcome_days() ~ ')') -}}
{%- endmacro -%}


{%- macro moved_exposure_days() -%}
    select exposure_day as day from {{ ref('fct_exposures') }}
    where exists (from work.moved_units) and unit_id in (select unit_id from work.moved_units)
{%- endmacro -%}


{%- macro targeting_audit_scope(alias='fct_targeting_audits') -%}
  {{ alias }}.exposure_day in ({{ changed_days() }})
  or {{ alias }}.experiment_id in (select changed.experiment_id from work.changed_targetings as changed)
{%- endmacro -%}


{%- macro in_audited_days(column) -%}
  {%- set every = not can_query() or is_reset() or standing_rows('from work.changed_targetings limit 1') | length > 0 -%}
  {{- return('true' if every else column ~ ' in (' ~ changed_days() ~ ')') -}}
{%- endmacro -%}


{#- Pairs are kept on the day of the second exposure, so a changed exposure moves none before its own day. -#}
{%- macro overlap_scope() -%}
  {%- set first = first_changed_exposure() -%}
  day >= {{ "date '" ~ first ~ "'" if first else "date 'infinity'" }}
  {%- if any_definition_changed() %}
  or experiment_id in (select changed.experiment_id from work.changed_experiments as changed)
  or other_id in (select changed.experiment_id from work.changed_experiments as changed)
  {%- endif -%}
{%- endmacro -%}


{#- Whether a metric adds up by day over a window whose days have an early and a late half; `int_effect_ages`. -#}
{%- macro asked_by_age() -%}
  select
    used.experiment_id, experiments.unit_type, metrics.metric, metrics.measure_y as measure,
    cast(metrics.window_end // 86400000000 as integer) as span, metrics.kind = 'proportion' as is_share
  from {{ source('catalog', 'experiment_metrics') }} as used
  inner join {{ source('catalog', 'experiments') }} as experiments on used.experiment_id = experiments.experiment_id
  inner join {{ source('catalog', 'metrics') }} as metrics on used.metric = metrics.metric
  inner join {{ source('catalog', 'measures') }} as measures on metrics.measure_y = measures.measure
  where used.role = 'primary'
    and metrics.kind in ('count', 'revenue', 'mean', 'proportion')
    and not metrics.by_event
    and metrics.window_start = 0
    and metrics.window_end >= 3 * 86400000000
    and metrics.measure_d is null
    and measures.agg in ('count', 'sum')
{%- endmacro -%}


{#- The exposure days, known before, of which this run changes an exposure, an identity link, or an event within the longest span. -#}
{%- macro known_days_touched() -%}
  {%- if not can_query() -%}{{- return('null') -}}{%- endif -%}
  {{- return(day_literals("
    select cast(exposed_at as date) from work.changed_exposures
    union
    " ~ moved_exposure_days() ~ "
    union
    select event_day - cast(age as integer)
    from (select distinct event_day from landing.touched_units where event_day <= " ~ frontier_before() ~ "),
      (select unnest(range(max(span))) as age from (" ~ asked_by_age() ~ "))")) -}}
{%- endmacro -%}


{%- macro effect_age_scope() -%}
  known_day > {{ frontier_before() }} or exposure_day in ({{ known_days_touched() }}) {{- or_primary_redefined() }}
{%- endmacro -%}


{#- The exposure days that `int_effect_ages` adds up, as literals; none where a definition is applied anew to every day. -#}
{%- macro aged_days() -%}
  {%- if not can_query() or is_reset() or any_definition_changed() -%}{{- return(none) -}}{%- endif -%}
  {{- return(day_literals("
    select unnest([" ~ known_days_touched() ~ "])
    union
    select cast(known as date) - span + 1
    from (select distinct span from (" ~ asked_by_age() ~ ")),
      generate_series(cast(" ~ frontier_before() ~ " + 1 as timestamp), cast(" ~ frontier_after() ~ " as timestamp),
        interval 1 day) as days (known)")) -}}
{%- endmacro -%}


{%- macro note_loss_days(gone, added) -%}
  insert into work.changed_loss_days
  select event_day from {{ gone }} union all select event_day from {{ added }};
{%- endmacro -%}


{#- After a reset every day has changed. -#}
{%- macro changed_loss_days() -%}
  {{- return(day_literals('select event_day from work.changed_loss_days') if can_query() else 'null') -}}
{%- endmacro -%}


{%- macro landing_loss_scope() -%}
  event_day in ({{ changed_loss_days() }})
{%- endmacro -%}


{%- macro audit_scope() -%}
  (experiment_id, assigned_day) in (
    select changed.experiment_id, cast(changed.exposed_at as date) from work.changed_exposures as changed
  )
  or experiment_id in (select changed.experiment_id from work.changed_experiments as changed)
{%- endmacro -%}


{#- A cell's day is that of its unit's value or that of its other exposure, so nothing changes before the first that did. -#}
{%- macro pair_scope() -%}
  day >= {{ first_changed_pair() if can_query() else "date '0001-01-01'" }}
  {%- if any_definition_changed() %}
  or experiment_id in (select changed.experiment_id from work.changed_experiments as changed)
  or other_id in (select changed.experiment_id from work.changed_experiments as changed)
  or metric in (select changed.metric from work.changed_metrics as changed)
  {%- endif -%}
{%- endmacro -%}


{#- SQL literal of the first day whose cells may have changed; none where a definition is applied anew to every day. -#}
{%- macro first_pair_day() -%}
  {%- if not can_query() or is_reset() or any_definition_changed() -%}{{- return(none) -}}{%- endif -%}
  {{- return(first_changed_pair()) -}}
{%- endmacro -%}


{%- macro first_changed_pair() -%}
  {%- set rows = standing_rows("
    select min(day) from (
      select cast(min(exposed_at) as date) as day from work.changed_exposures
      union all
      select min(day) from " ~ ref('int_touched_partitions') ~ "
      union all
      select " ~ frontier_before() ~ " + 1)") -%}
  {{- return("date '" ~ rows[0][0] ~ "'") -}}
{%- endmacro -%}
