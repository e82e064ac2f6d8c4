{#- What a run computes anew, as SQL predicates. On a reset everything is in scope, by the same query. -#}

{%- macro in_scope(predicate) -%}
  {{- return('true' if is_reset() else '(' ~ predicate ~ ')') -}}
{%- endmacro -%}


{#- For tests: the rows that a `dbt build` has just written; the others were looked at when they were written, and looking
    at all history again would cost more every day. `dbt test` looks at everything. -#}
{%- macro written_by_this_run(scope) -%}
  {{- return(in_scope(context[scope]()) if scope and can_query() and flags.WHICH == 'build' else 'true') -}}
{%- endmacro -%}


{#- Whether a run has any definition to apply anew; mostly it has not, and then no row needs to be asked. -#}
{%- macro any_definition_changed() -%}
  {%- if not can_query() -%}{{- return(true) -}}{%- endif -%}
  {%- set rows = standing_rows('select exists (from work.changed_experiments) or exists (from work.changed_metrics)') -%}
  {{- return(rows[0][0]) -}}
{%- endmacro -%}


{%- macro touched_anonymous_ids() -%}
  anonymous_id in (
    select days.anonymous_id from {{ ref('int_link_days') }} as days where days.event_day > {{ frontier_before() }}
    union all
    select touched.raw_id from landing.touched_units as touched
    where touched.id_kind = 'anonymous' and touched.event_day <= {{ frontier_before() }}
  )
{%- endmacro -%}


{#- Every used definition whose text changed, was added or was removed. -#}
{%- macro definition_changed() -%}
  experiment_id in (select changed.experiment_id from work.changed_experiments as changed)
  or metric in (select changed.metric from work.changed_metrics as changed)
{%- endmacro -%}


{#- A link moves something only if its anonymous id has events of its own, without a user id, or had some that this run took
    away with it, or if it is overridden: then the user is as well. -#}
{%- macro note_moved_units(gone, added) -%}
  insert into work.moved_units
  select distinct unnest([links.user_id, links.anonymous_id])
  from (
    select user_id, anonymous_id from {{ gone }} union all select user_id, anonymous_id from {{ added }}
  ) as links
  where links.anonymous_id in (
    {%- for model in ['int_unit_days', 'int_measure_events', 'int_exposure_events'] %}
    select own.raw_id from {{ ref(model) }} as own where own.unit_type = 'user' and own.id_kind = 'anonymous'
    union all
    {%- endfor %}
    select overrides.unit_id from {{ source('catalog', 'overrides') }} as overrides
    union all
    select touched.raw_id from landing.touched_units as touched
    where touched.id_kind = 'anonymous' and touched.event_day <= {{ frontier_before() }}
  );
{%- endmacro -%}


{%- macro note_changed_exposures(gone, added) -%}
  insert into work.changed_exposures
  select experiment_id, unit_id, variant_id, exposed_at, second_arm_at from {{ gone }}
  union all
  select experiment_id, unit_id, variant_id, exposed_at, second_arm_at from {{ added }};
{%- endmacro -%}


{#- The entry days that rewritten values belong to; a unit seen in a second arm also leaves on a day of its own. -#}
{%- macro note_partitions(gone, added) -%}
  insert into work.partitions
  select distinct experiment_id, metric, unnest([day, greatest(day, cast(second_arm_at as date))]) from (
    select experiment_id, metric, day, second_arm_at from {{ gone }}
    union all
    select experiment_id, metric, day, second_arm_at from {{ added }}
  );
{%- endmacro -%}


{%- macro exposure_scope() -%}
  exposure_day > {{ frontier_before() }}
  {%- if not can_query() or standing_rows('select exists (from ' ~ ref('int_touched_exposures') ~ ' where may_stand)')[0][0] %}
  or (experiment_id, unit_id) in (
    select t.experiment_id, t.unit_id from {{ ref('int_touched_exposures') }} as t where t.may_stand
  )
  {%- endif %}
  {%- if any_definition_changed() %}
  or experiment_id in (select changed.experiment_id from work.changed_experiments as changed)
  {%- endif %}
{%- endmacro -%}


{#- Rows about days before the first one that is touched are left unread: the table lies in the order of its days. -#}
{%- macro value_scope() -%}
  {%- if any_definition_changed() -%}
  {{ touched_values() }}
  or {{ definition_changed() }}
  or (experiment_id, metric) not in (select w.experiment_id, w.metric from {{ ref('int_metric_windows') }} as w)
  {%- else -%}
  day >= {{ first_touched_day() }} and ({{ touched_values() }})
  {%- endif -%}
{%- endmacro -%}


{%- macro touched_values() -%}
  day > {{ frontier_before() }}
  or (experiment_id, unit_id, window_start, window_end) in (
    select s.experiment_id, s.unit_id, s.window_start, s.window_end from {{ ref('int_value_scope') }} as s
    where s.entry_day <= {{ frontier_before() }}
  )
  or (experiment_id, unit_id) in (
    select c.experiment_id, c.unit_id from work.changed_exposures as c where c.exposed_at < {{ frontier_before() }} + 1
  )
{%- endmacro -%}


{#- SQL literal of a day before which no value changes: a window closes on the day of its exposure at the earliest. -#}
{%- macro first_touched_day() -%}
  {%- set rows = standing_rows("
    select min(day) from (
      select min(entry_day) as day from " ~ ref('int_value_scope') ~ "
      union all select cast(min(exposed_at) as date) from work.changed_exposures
      union all select " ~ frontier_before() ~ " + 1)") -%}
  {{- return("date '" ~ rows[0][0] ~ "'") -}}
{%- endmacro -%}


{#- Whether a run has only new days to take in: no finished day has a new event, a changed exposure or a unit that moved. -#}
{%- macro only_new_days() -%}
  {%- if not can_query() or is_reset() or any_definition_changed() -%}{{- return(false) -}}{%- endif -%}
  {{- return(not standing_rows("
    select exists (from landing.touched_units where event_day <= " ~ frontier_before() ~ ")
      or exists (from work.changed_exposures where exposed_at < " ~ frontier_before() ~ " + 1)
      or exists (from work.moved_units)")[0][0]) -}}
{%- endmacro -%}


{#- The exposure days from which a window closes on a new day, as literals. -#}
{%- macro closing_days() -%}
  {{- return(day_literals("
    select unnest([
      cast(closing.day - to_microseconds(windows.window_end) as date),
      cast(closing.day + 1 - to_microseconds(windows.window_end) as date)])
    from (
      select cast(unnest(generate_series(" ~ frontier_before() ~ " + 1, " ~ frontier_after() ~ ", interval 1 day)) as date) as day
    ) as closing
    cross join (
      select distinct window_end from " ~ ref('int_metric_windows') ~ " where not is_open
    ) as windows")) -}}
{%- endmacro -%}


{#- Predicate on fct_exposures: no exposure before this day has a window that closes, or an event that counts, among what this
    run takes in. Anything may, where a definition or an identity link changed. -#}
{%- macro recent_exposures(day) -%}
  {%- if not can_query() or is_reset() or any_definition_changed() -%}{{- return('true') -}}{%- endif -%}
  {%- set rows = run_query("
    with longest as (
      select coalesce(max(window_end) // 86400000000, 0)::int + 1 as days from " ~ ref('int_metric_windows') ~ "
      where not is_open
    )
    select case when exists (from work.moved_units) then date '0001-01-01' else min(day) end
    from (
      select " ~ frontier_before() ~ " + 1 - days as day from longest
      union all select min(event_day) - any_value(days) from landing.touched_units, longest
      union all select cast(min(exposed_at) as date) from work.changed_exposures)") -%}
  {{- return(day ~ " >= date '" ~ rows.columns[0].values()[0] ~ "'") -}}
{%- endmacro -%}


{%- macro open_value_scope() -%}
  (experiment_id, unit_id) in (select s.experiment_id, s.unit_id from {{ ref('int_open_scope') }} as s)
  or (experiment_id, unit_id) in (select c.experiment_id, c.unit_id from work.changed_exposures as c)
  or {{ definition_changed() }}
  or (experiment_id, metric) not in (select w.experiment_id, w.metric from {{ ref('int_metric_windows') }} as w)
{%- endmacro -%}


{%- macro dirty_partitions(day='day') -%}
  (experiment_id, metric, {{ day }}) in (
    select p.experiment_id, p.metric, p.day from {{ ref('int_touched_partitions') }} as p
  )
  or {{ definition_changed() }}
{%- endmacro -%}


{%- macro stale_metric() -%}
  metric <> '' and (experiment_id, metric) not in (select w.experiment_id, w.metric from {{ ref('int_metric_windows') }} as w)
  or experiment_id not in (select e.experiment_id from {{ source('catalog', 'experiments') }} as e)
{%- endmacro -%}


{#- Per metric, the earliest day whose increments were aggregated anew; exposures count for every metric. -#}
{%- macro first_stale_day() -%}
  {%- if is_reset() -%}
  select experiment_id, metric, date '0001-01-01' as day from {{ ref('int_metric_windows') }}
  {%- else -%}
  select windows.experiment_id, windows.metric, min(touched.day) as day
  from {{ ref('int_metric_windows') }} as windows
  inner join (
    select experiment_id, metric, day from {{ ref('int_touched_partitions') }}
    union all
    select experiment_id, metric, date '0001-01-01' from {{ ref('int_metric_windows') }}
    where {{ definition_changed() }}
  ) as touched
    on windows.experiment_id = touched.experiment_id and touched.metric in (windows.metric, '')
  group by windows.experiment_id, windows.metric
  {%- endif -%}
{%- endmacro -%}


{%- macro stale_cut_offs() -%}
  exists (
    select 1 from ({{ first_stale_day() }}) as dirty
    where dirty.experiment_id = fct_sufficient_statistics.experiment_id
      and dirty.metric = fct_sufficient_statistics.metric
      and dirty.day <= fct_sufficient_statistics.cut_off
  )
  or {{ definition_changed() }}
  or {{ stale_metric() }}
{%- endmacro -%}


{%- macro changed_exposure_rows() -%}
  {{- changed_keys('exposure_day') -}}
{%- endmacro -%}


{%- macro changed_assignment_rows() -%}
  {{- changed_keys('cast(assigned_at as date)') -}}
{%- endmacro -%}


{#- The day of the first exposure that this run has changed, old or new; none where it has changed none. -#}
{%- macro first_changed_exposure() -%}
  {%- if not can_query() -%}{{- return(none) -}}{%- endif -%}
  {{- return(standing_rows('select min(cast(exposed_at as date)) from work.changed_exposures')[0][0]) -}}
{%- endmacro -%}


{#- Rows of changed exposures; with no definition changed, those before the first changed day are left unread. -#}
{%- macro changed_keys(day) -%}
  {%- if any_definition_changed() -%}
  (experiment_id, unit_id) in (select c.experiment_id, c.unit_id from work.changed_exposures as c)
  or experiment_id in (select c.experiment_id from work.changed_experiments as c)
  {%- else -%}
  {%- set first = first_changed_exposure() -%}
  {%- if first is none -%}
  false
  {%- else -%}
  {{ day }} >= date '{{ first }}'
  and (experiment_id, unit_id) in (select c.experiment_id, c.unit_id from work.changed_exposures as c)
  {%- endif -%}
  {%- endif -%}
{%- endmacro -%}


{%- macro exposure_days_in_scope() -%}
  (experiment_id, exposure_day) in (
    select c.experiment_id, cast(c.exposed_at as date) from work.changed_exposures as c
  )
  or experiment_id in (select c.experiment_id from work.changed_experiments as c)
{%- endmacro -%}


{%- macro increment_scope() -%}
  {{ dirty_partitions() }} or {{ stale_metric() }}
{%- endmacro -%}


{%- macro touched_exposure_events() -%}
  {{ touched_on_day() }}
  or raw_id is null
  or experiment_id in (select c.experiment_id from work.changed_experiments as c)
{%- endmacro -%}


{%- macro touched_link_days() -%}
  ('anonymous', anonymous_id) in (
    select t.id_kind, t.raw_id from landing.touched_units as t where t.event_day = {{ the_day() }}
  )
{%- endmacro -%}


{%- macro whole_table() -%}
  true
{%- endmacro -%}
