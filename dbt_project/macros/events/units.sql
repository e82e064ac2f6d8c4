{#- The ids of one event under one unit type: what kind of id stands for the unit, and the id as logged. -#}

{%- macro raw_kind(unit_type, alias='events') -%}
  {%- if unit_type == 'user' -%}
    case when {{ alias }}.user_id is not null then 'user' else 'anonymous' end
  {%- else -%}
    '{{ unit_type }}'
  {%- endif -%}
{%- endmacro -%}


{%- macro raw_id(unit_type, alias='events') -%}
  {%- if unit_type == 'user' -%}
    coalesce({{ alias }}.user_id, {{ alias }}.anonymous_id)
  {%- else -%}
    {{ alias }}.{{ unit_type }}_id
  {%- endif -%}
{%- endmacro -%}


{#- The id of an event's own kind of unit, whatever else could stand for the unit; null without one. -#}
{%- macro own_id(experiments) -%}
  case {{ experiments }}.unit_type
    {%- for unit_type in ['user', 'anonymous', 'session'] %}
    when '{{ unit_type }}' then events.{{ unit_type }}_id
    {%- endfor %}
  end
{%- endmacro -%}


{#- The unit that a logged id stands for: the linked user of an anonymous id, else the id itself. -#}
{%- macro join_links(alias) -%}
  left join {{ ref('int_identity_links') }} as links
    on {{ alias }}.unit_type = 'user' and {{ alias }}.id_kind = 'anonymous' and {{ alias }}.raw_id = links.anonymous_id
{%- endmacro -%}


{%- macro linked_unit(alias) -%}
  coalesce(links.user_id, {{ alias }}.raw_id)
{%- endmacro -%}


{#- On a finished day, only what ingest has touched there. -#}
{%- macro is_touched(kind, id) -%}
  {{- on_finished_day(is_touched_id(kind, id)) -}}
{%- endmacro -%}


{%- macro is_touched_id(kind, id) -%}
  ({{ kind }}, {{ id }}) in (
    select touched.id_kind, touched.raw_id from landing.touched_units as touched where touched.event_day = {{ the_day() }}
  )
{%- endmacro -%}


{%- macro touched_on_day() -%}
  {{- is_touched_id('id_kind', 'raw_id') -}}
{%- endmacro -%}


{#- Events of some days under every unit type in use, with the measures of each event; rows that add nothing are left out. -#}
{%- macro measured_events(where) -%}
  {%- set measures = additive_measures() -%}
  {%- for unit_type in unit_types() %}
  select
    events.event_day, events.occurred_at, '{{ unit_type }}' as unit_type, events.id_kind, events.raw_id
    {%- for measure in measures %},
    {{ scaled_value(measure, 'worth_of_' ~ measure.name) }} as {{ measure.name }}
    {%- endfor %}
  from (
    -- The optimiser must not share parts of expressions (profiles.yml), so what an event is worth is a column.
    select
      events.event_day, events.occurred_at, {{ raw_kind(unit_type) }} as id_kind, {{ raw_id(unit_type) }} as raw_id
      {%- for measure in measures %},
      {{ event_worth(measure) }} as worth_of_{{ measure.name }}
      {%- endfor %}
    from {{ ref('stg_events') }} as events
    where {{ where }} and {{ raw_id(unit_type) }} is not null
  ) as events
  where {% for measure in measures %}worth_of_{{ measure.name }} is not null{{ ' or ' if not loop.last }}{% else %}false{% endfor %}
  {{ 'union all' if not loop.last }}
  {%- endfor %}
{%- endmacro -%}
