{#- The declared bot and internal-traffic filters as one CASE: the name of the first that matches, else null. -#}
{%- macro matching_filter() -%}
  {%- if not can_query() -%}{{- return("cast(null as varchar)") -}}{%- endif -%}
  {%- set rows = run_query('select name, column_name, operator, unnest(operand_values) from catalog.filters order by 1, 4') -%}
  {%- if not rows.rows -%}{{- return("cast(null as varchar)") -}}{%- endif -%}
  case
    {%- for row in rows.rows %}
    when {% if row[2] == 'matches' -%}
      regexp_matches({{ event_attribute(row[1]) }}, {{ text_literal(row[3]) }})
    {%- else -%}
      {{ event_attribute(row[1]) }} = {{ text_literal(row[3]) }}
    {%- endif %} then {{ text_literal(row[0]) }}
    {%- endfor %}
  end
{%- endmacro -%}


{#- SQL of an event's attribute as text: a column, or `properties.<key>`. -#}
{%- macro event_attribute(name) -%}
  {%- if name.startswith('properties.') -%}
    json_extract_string(properties, {{ text_literal('$."' ~ (name[11:] | replace('"', '')) ~ '"') }})
  {%- else -%}
    cast({{ adapter.quote(name | replace('"', '')) }} as varchar)
  {%- endif -%}
{%- endmacro -%}


{%- macro text_literal(text) -%}
  '{{ text | replace("'", "''") }}'
{%- endmacro -%}
