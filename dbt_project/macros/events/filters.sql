{#-
  The declared bot and internal-traffic filters as one CASE: the name of the first that matches, else null.
  Ingest refuses values beyond 1e10; those that landed before it did are taken away by a filter of their own.
-#}
{%- macro matching_filter() -%}
  {%- set filters = [] -%}
  {%- if can_query() -%}
    {%- set filters = standing_rows(
        'select name, column_name, operator, unnest(operand_values) from catalog.filters order by 1, 4') -%}
  {%- endif -%}
  case
    when abs(value) > 10000000000 then 'value_out_of_range'
    {%- for row in filters %}
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
