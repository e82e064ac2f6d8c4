{#-
  The range of exact sums. They are kept in 128 bits: 10^10 with six decimals is 10^16, its square 10^32, and some 10^6 of
  those are all that fits. What is beyond is no sum: the metric of that experiment has none from that day on, and a status.
-#}

{%- macro magnitude(letters) -%}
  {#- A bound of every product of two of a row's values, in 10^20; 0 for rows of which 10^9 would not fill the range. -#}
  {%- set size = [] -%}
  {%- for letter in letters -%}{%- do size.append('coalesce(abs(cast(' ~ letter ~ ' as double)), 0)') -%}{%- endfor -%}
  {%- set size = '(' ~ size | join(' + ') ~ ')' -%}
  case when {{ size }} <= 1e14 then 0 else cast(least(ceil({{ size }} * {{ size }} / 1e20), 4e18) as bigint) end
{%- endmacro -%}


{%- macro largest_worth() -%}
  {#- Of one event, scaled: nearly all of 64 bits, and by itself more than the sums of a metric hold. -#}
  {{- return(9200000000000000000) -}}
{%- endmacro -%}


{%- macro largest_magnitude() -%}
  {#- Of all rows together, in 10^20. Units of two arms count twice, and 128 bits end at 1.7 * 10^38. -#}
  {{- return(500000000000000000) -}}
{%- endmacro -%}


{%- macro in_range(alias) -%}
  {#- Predicate on rows of unit values: all but those of metrics beyond the range, from the day on which they are. -#}
  {%- set beyond = [] -%}
  {%- if can_query() -%}
    {%- for row in standing_rows('select experiment_id, metric, from_day from ' ~ ref('int_out_of_range') ~ ' order by all') -%}
      {%- do beyond.append(
          ' and not (' ~ alias ~ '.experiment_id = ' ~ text_literal(row[0]) ~ ' and ' ~ alias ~ '.metric = '
          ~ text_literal(row[1]) ~ ' and ' ~ alias ~ ".day >= date '" ~ row[2] ~ "')") -%}
    {%- endfor -%}
  {%- endif -%}
  {{- return('true' ~ beyond | join('')) -}}
{%- endmacro -%}


{%- macro note_out_of_range(gone, added) -%}
  {#- Every day from the first that may have other sums. -#}
  insert into work.partitions
  select distinct
    experiment_id, metric, cast(unnest(generate_series(from_day, {{ frontier_after() }}, interval 1 day)) as date)
  from (select experiment_id, metric, from_day from {{ gone }} union all select experiment_id, metric, from_day from {{ added }});
{%- endmacro -%}
