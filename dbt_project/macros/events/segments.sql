{#-
  The levels of an event under its experiment's declared segments, as a sorted list of (segment, level): one CASE
  branch per distinct set of segments in the catalogue. An absent attribute is the level `unknown`.
-#}
{%- macro segment_levels() -%}
  {%- set none_declared = "cast([] as struct(segment varchar, level varchar)[])" -%}
  {%- if not can_query() -%}{{- return(none_declared) -}}{%- endif -%}
  {%- set rows = standing_rows("
    select distinct string_agg(segment, ',' order by segment) as signature, list(segment order by segment) as segments
    from catalog.experiment_segments group by experiment_id order by 1") -%}
  {%- if not rows -%}{{- return(none_declared) -}}{%- endif -%}
  case signature
    {%- for row in rows %}
    when {{ text_literal(row[0]) }} then [
      {%- for segment in row[0].split(',') -%}
        {segment: {{ text_literal(segment) }}, level: coalesce({{ event_attribute(segment) }}, 'unknown')}{{ ', ' if not loop.last }}
      {%- endfor -%}
    ]
    {%- endfor %}
    else {{ none_declared }}
  end
{%- endmacro -%}


{#-
  The number, from 1, of the first leaf of a contextual bandit that a unit is in, 0 where it is in none: every feature that
  the leaf names has one of its levels.
-#}
{%- macro leaf_of(leaves, segments) -%}
  coalesce(list_position(list_transform({{ leaves }}, lambda leaf: len(list_filter(leaf, lambda test:
    not list_contains(test.levels, list_filter({{ segments }}, lambda one: one.segment = test.segment)[1].level))) = 0),
    true), 0)
{%- endmacro -%}


{#- Parts of a contextual bandit's units: what is learned from some is judged by the next. -#}
{%- macro context_folds() -%}10{%- endmacro -%}
