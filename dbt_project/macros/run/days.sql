{#- Which days a `replace` model is run for: new days whole, finished days only for what ingest has touched there. -#}

{%- macro outstanding_days(reset=false) -%}
  {{- return(run_days(reset, 'select distinct event_day from landing.touched_units')) -}}
{%- endmacro -%}


{%- macro outstanding_exposure_days(reset=false) -%}
  {#- As above; a changed experiment also wants every day since its start, or since the start that it had before. -#}
  {{- return(run_days(reset, "
      select distinct event_day from landing.touched_units
      union
      select days.event_day from landing.days as days
      where exists (
        select 1 from work.changed_experiments
        left join catalog.experiments using (experiment_id)
        left join (
          select experiment_id, min(event_day) as first_day from " ~ this ~ " group by experiment_id
        ) as standing using (experiment_id)
        where days.event_day >= least(cast(start_at as date), first_day))")) -}}
{%- endmacro -%}


{%- macro run_days(reset, touched) -%}
  {%- set found = [] -%}
  {%- set before = "date '0001-01-01'" if reset else frontier_before() -%}
  {%- set rows = run_query("
    select event_day, true as whole from landing.days
    where event_day > " ~ before ~ " and event_day <= " ~ frontier_after() ~ "
    union all
    select event_day, false from (" ~ touched ~ ") where event_day <= " ~ before ~ "
    order by event_day") -%}
  {%- for row in rows.rows -%}{%- do found.append({'day': row[0], 'whole': row[1]}) -%}{%- endfor -%}
  {{- return(found) -}}
{%- endmacro -%}
