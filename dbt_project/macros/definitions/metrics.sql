{#- The definitions as the models need them: lists of plain dicts, from the tables that the catalogue is compiled to. -#}

{%- macro measure_definitions() -%}
  {#- name → {name, agg, expr, scale} of every measure that a used metric needs. -#}
  {%- set found = {} -%}
  {%- if can_query() -%}
    {%- for row in standing_rows('select measure, agg, expr, scale from catalog.measures order by measure') -%}
      {%- do found.update({row[0]: {'name': row[0], 'agg': row[1], 'expr': row[2], 'scale': row[3] | int}}) -%}
    {%- endfor -%}
  {%- endif -%}
  {{- return(found) -}}
{%- endmacro -%}


{%- macro metric_definitions() -%}
  {#- The used metrics, sorted by name, each with its window in microseconds (end none = open) and its measures. -#}
  {%- set found = [] -%}
  {%- if can_query() -%}
    {%- set measures = measure_definitions() -%}
    {%- set rows = standing_rows("
      select metric, kind, window_start, window_end, cuped, cap_lower, cap_upper, histogram, by_event, measure_y,
        measure_d, array_to_string(steps, ','), measure_before, before_within, scale_y, scale_d, definition_hash,
        cap_nonzero
      from catalog.metrics order by metric") -%}
    {%- for row in rows -%}
      {%- set steps = [] -%}
      {%- for step in (row[11] or '').split(',') if step -%}{%- do steps.append(measures[step]) -%}{%- endfor -%}
      {%- do found.append({
          'name': row[0], 'kind': row[1], 'start': row[2] | int, 'end': none if row[3] is none else row[3] | int,
          'cuped': row[4], 'winsorize': none if row[5] is none else {'lower': row[5], 'upper': row[6], 'nonzero': row[17]},
          'histogram': row[7], 'by_event': row[8], 'y': measures[row[9]],
          'd': measures[row[10]] if row[10] else none, 'steps': steps,
          'before': measures[row[12]] if row[12] else none, 'within': none if row[13] is none else row[13] | int,
          'scale_y': row[14] | int, 'scale_d': none if row[15] is none else row[15] | int, 'hash': row[16],
      }) -%}
    {%- endfor -%}
  {%- endif -%}
  {{- return(found) -}}
{%- endmacro -%}


{%- macro primary_conversions() -%}
  {#- The measures of conversions that some experiment names as a primary metric. Sorted by name. -#}
  {%- set found = [] -%}
  {%- if can_query() -%}
    {%- set measures = measure_definitions() -%}
    {%- set rows = standing_rows("
      select distinct measure_y from catalog.metrics inner join catalog.experiment_metrics using (metric)
      where role = 'primary' and kind = 'proportion' order by measure_y") -%}
    {%- for row in rows -%}{%- do found.append(measures[row[0]]) -%}{%- endfor -%}
  {%- endif -%}
  {{- return(found) -}}
{%- endmacro -%}


{%- macro additive_measures() -%}
  {#- Measures kept per unit and day: those of the used metrics whose unit value is a sum. Sorted by name. -#}
  {%- set found = {} -%}
  {%- for metric in metric_definitions() if not metric.by_event -%}
    {%- do found.update({metric.y.name: metric.y}) -%}
    {%- if metric.d -%}{%- do found.update({metric.d.name: metric.d}) -%}{%- endif -%}
  {%- endfor -%}
  {%- set sorted = [] -%}
  {%- for name in found | sort -%}{%- do sorted.append(found[name]) -%}{%- endfor -%}
  {{- return(sorted) -}}
{%- endmacro -%}


{%- macro event_measures() -%}
  {#- Kept per event: measures of distinct counts, funnels and times to conversion, and activations (`@event`). -#}
  {%- set found = {} -%}
  {%- for metric in metric_definitions() if metric.by_event -%}
    {%- do found.update({metric.y.name: metric.y}) -%}
    {%- if metric.before -%}{%- do found.update({metric.before.name: metric.before}) -%}{%- endif -%}
    {%- for step in metric.steps -%}{%- do found.update({step.name: step}) -%}{%- endfor -%}
  {%- endfor -%}
  {%- if can_query() -%}
    {%- set events = standing_rows('select distinct activation_event from catalog.experiments where activation_event is not null') -%}
    {%- for event in events | map(attribute=0) -%}
      {%- do found.update({'@' ~ event: {
          'name': '@' ~ event, 'agg': 'count', 'scale': 1,
          'expr': 'case when event_name = ' ~ text_literal(event) ~ ' then 1 end'}}) -%}
    {%- endfor -%}
  {%- endif -%}
  {%- set sorted = [] -%}
  {%- for name in found | sort -%}{%- do sorted.append(found[name]) -%}{%- endfor -%}
  {{- return(sorted) -}}
{%- endmacro -%}


{%- macro event_worth(measure) -%}
  {#- The expression on one event; null where it fails there, so that one odd event stops no run. -#}
  try((
    {{ measure.expr }}
  ))
{%- endmacro -%}


{%- macro scaled_value(measure, worth=none) -%}
  {#-
    What one event adds to the measure, as an integer: 1 or 0 for counts, the value times its scale for sums, half-even.
    In decimals of 128 bits: doubles lose digits from 2^53 on, which 10^10 with six decimals is beyond. A worth of at most
    six decimals at their own scale, as most are, needs no rounding: by its whole part and its decimals it is ten times as
    fast. What 64 bits cannot hold adds as much as they can, which puts the metric out of range; what is not finite fails. Beyond
    10^10 a binary number has no twelve decimals, so the cast adds none. `worth` names the column that holds what the event is
    worth, where there is one.
  -#}
  {%- set worth = worth or event_worth(measure) -%}
  {%- if measure.agg == 'count' -%}
    cast({{ worth }} is not null as bigint)
  {%- else -%}
    {%- set plain = 'try_cast(' ~ worth ~ ' as decimal(18, 6))' -%}
    {%- set exact = 'try_cast(' ~ worth ~ ' as decimal(38, 12)) * ' ~ measure.scale -%}
    {%- set away = 'cast(' ~ exact ~ ' as hugeint)' -%}
    {%- set real = 'try_cast(' ~ worth ~ ' as double)' -%}
    case
      when {{ worth }} is null then 0
      {%- if measure.scale == 1000000 %}
      when abs({{ plain }}) <= 10000000000 and {{ plain }} = {{ worth }}
        then cast(trunc({{ plain }}) as bigint) * 1000000 + cast({{ plain }} % 1 * 1000000 as bigint)
      {%- endif %}
      when not coalesce(isfinite({{ real }}), false) then 0
      when abs({{ real }}) > {{ largest_worth() }} // {{ measure.scale }} then if({{ real }} > 0, 1, -1) * {{ largest_worth() }}
      when abs({{ real }}) > 10000000000 then cast(try_cast({{ worth }} as decimal(38, 6)) * {{ measure.scale }} as bigint)
      when abs({{ exact }} - {{ away }}) = 0.5 and {{ away }} % 2 <> 0 then cast({{ away }} - sign({{ exact }}) as bigint)
      else cast({{ away }} as bigint)
    end
  {%- endif -%}
{%- endmacro -%}


{%- macro measures_by_age() -%}
  {#- unit type and measure of every metric that `int_effect_ages` adds up. Sorted by both. -#}
  {%- set found = [] -%}
  {%- if can_query() -%}
    {%- set measures = measure_definitions() -%}
    {%- for row in standing_rows('select distinct unit_type, measure from (' ~ asked_by_age() ~ ') order by all') -%}
      {%- do found.append({'unit_type': row[0], 'measure': measures[row[1]]}) -%}
    {%- endfor -%}
  {%- endif -%}
  {{- return(found) -}}
{%- endmacro -%}
