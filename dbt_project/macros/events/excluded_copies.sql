{#- The lake's copies that are no events, of the days whose losses have changed: `landing.raw_events` shows only those that won. -#}
{%- macro files_of_excluded_copies() -%}
  {%- if not can_query() -%}{{- return([]) -}}{%- endif -%}
  {{- return(run_query("
    select home.root || '/' || files.path from landing.lake_files as files cross join landing.home as home
    where (files.event_day, files.file_hash) in (
      select excluded.event_day, excluded.file_hash from landing.excluded as excluded
      where excluded.reason <> 'duplicate'
        and excluded.event_day in (select changed.event_day from work.changed_loss_days as changed))
    order by all").columns[0].values() | list) -}}
{%- endmacro -%}


{#- Brackets and the like in the home's own path must not act as a glob. -#}
{%- macro lake_scan(paths) -%}
  read_parquet([
    {%- for path in paths -%}
    {{ text_literal(path | replace('[', '[[]') | replace('*', '[*]') | replace('?', '[?]')) }}{{ ', ' if not loop.last }}
    {%- endfor -%}
  ], hive_partitioning = true, hive_types = {'event_day': date})
{%- endmacro -%}


{#- The unit that an exposure event names, by the kind of unit of its experiment. -#}
{%- macro exposed_unit(events, unit_type) -%}
  case {{ unit_type }}
    when 'session' then {{ events }}.session_id
    when 'anonymous' then {{ events }}.anonymous_id
    else coalesce({{ events }}.user_id, {{ events }}.anonymous_id)
  end
{%- endmacro -%}
