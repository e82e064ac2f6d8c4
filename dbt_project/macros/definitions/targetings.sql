{%- macro compiled_targetings() -%}
  {#- Rows of catalog.targetings: experiment, its attributes of event `e`, and whether they let a unit in, as SQL. -#}
  {%- if not can_query() -%}{{- return([]) -}}{%- endif -%}
  {{- return(standing_rows('select experiment_id, attributes, verdict from catalog.targetings order by 1')) -}}
{%- endmacro -%}


{#- One CASE branch per experiment with that column of its row. -#}
{%- macro by_experiment(rows, experiment, column, type) -%}
  {%- if not rows -%}{{- return('cast(null as ' ~ type ~ ')') -}}{%- endif -%}
  case {{ experiment }}
    {%- for row in rows %}
    when {{ text_literal(row[0]) }} then {{ row[column] }}
    {%- endfor %}
  end
{%- endmacro -%}
