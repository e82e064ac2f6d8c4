{#- Kinds of unit that some behavioural segment counts, with the longest window of each in days; none without segments. -#}
{%- macro behaving_units() -%}
  {%- if not can_query() -%}{{- return([]) -}}{%- endif -%}
  {{- return(standing_rows('select unit_type, max(days) from catalog.segment_rules where ' ~ of_this_shard('unit_type') ~ ' group by unit_type order by unit_type')) -}}
{%- endmacro -%}


{#- Value of the event column that a rule is of: one CASE branch per column that some rule names. -#}
{%- macro rule_column() -%}
  {%- set rows = standing_rows(
      'select distinct of_column from catalog.segment_rules where of_column is not null order by 1') -%}
  {%- if not rows -%}{{- return('cast(null as varchar)') -}}{%- endif -%}
  case of_column
    {%- for row in rows %}
    when {{ text_literal(row[0]) }} then {{ event_attribute(row[0]) }}
    {%- endfor %}
  end
{%- endmacro -%}
