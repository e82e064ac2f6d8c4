{#- The sums that stand for a set of units: y outcome, d denominator, x and w the same before exposure. -#}

{%- macro moments() -%}
  {{- return(['sum_y', 'sum_d', 'sum_x', 'sum_w', 'sum_yy', 'sum_yd', 'sum_yx', 'sum_yw',
              'sum_dd', 'sum_dx', 'sum_dw', 'sum_xx', 'sum_xw', 'sum_ww']) -}}
{%- endmacro -%}


{%- macro count_part(part, day, where) -%}
  select
    experiment_id, metric, '{{ part }}' as part, {{ day }} as day, phase, variant_id, segments, sum(n) as n
    {%- for moment in moments() %}, cast(0 as hugeint) as {{ moment }}{% endfor %}
  from entries
  where {{ where }}
  group by experiment_id, metric, {{ day }}, phase, variant_id, segments
{%- endmacro -%}


{#- What a step from (y_before, d_before) to (y, d) adds; the covariate is added once, on entry. -#}
{%- macro moment_part(part, day, where) -%}
  select
    experiment_id, metric, '{{ part }}' as part, {{ day }} as day, phase, variant_id, segments, 0 as n,
    sum(y - y_before),
    sum(d - d_before),
    sum(x) filter (is_entry),
    sum(w) filter (is_entry),
    sum(y * y - y_before * y_before),
    sum(y * d - y_before * d_before),
    sum((y - y_before) * x),
    sum((y - y_before) * w),
    sum(d * d - d_before * d_before),
    sum((d - d_before) * x),
    sum((d - d_before) * w),
    sum(x * x) filter (is_entry),
    sum(x * w) filter (is_entry),
    sum(w * w) filter (is_entry)
  from valued
  where {{ where }}
  group by experiment_id, metric, {{ day }}, phase, variant_id, segments
{%- endmacro -%}


{#- All parts of `entries` and `valued`, of which the caller keeps those in its scope: groups are few. `crossed` holds the same
    units again, from the day they are known to have seen a second arm: taking it away from `entered` leaves the units of one
    arm only, at any cut-off. -#}
{%- macro unit_parts() -%}
  {%- set crossed = ('crossed', 'greatest(day, cast(second_arm_at as date))', 'second_arm_at is not null') -%}
  {{ count_part('entered', 'day', 'true') }}
  union all
  {{ count_part(*crossed) }}
  union all
  {{ moment_part('entered', 'day', 'true') }}
  union all
  {{ moment_part(*crossed) }}
{%- endmacro -%}


{#- A sum over a denominator or a covariate that the metric does not have is null, not 0, and so is one beyond the range. -#}
{%- macro moment_exists(moment) -%}
  {%- set letters = moment[4:] -%}
  {%- set needs = ['coalesce(running.day < beyond.from_day, true)'] -%}
  {%- if 'd' in letters or 'w' in letters -%}{%- do needs.append('stale.scale_d is not null') -%}{%- endif -%}
  {%- if 'x' in letters or 'w' in letters -%}{%- do needs.append("stale.covariate_status = 'ok'") -%}{%- endif -%}
  {{- return(needs | join(' and ')) -}}
{%- endmacro -%}


{#-
  Sums of capped values, per cut-off, from the counts of values: caps are discrete quantiles (the smallest value at
  or above which ⌈q·n⌉ units lie, counted from below) over all arms of the experiment, zeros included unless the
  metric says otherwise. A covariate is capped likewise, at its own quantiles.
-#}
{%- macro winsorized_sums() -%}
  {%- set metrics = metric_definitions() | rejectattr('winsorize', 'none') | list -%}
  winsorized_cut_offs as (
    select grid.*, limits.lower, limits.upper, limits.nonzero
    from grid
    inner join (
      {% for metric in metrics -%}
      select
        '{{ metric.name }}' as metric,
        cast({{ metric.winsorize.lower }} as decimal(9, 6)) as lower,
        cast({{ metric.winsorize.upper }} as decimal(9, 6)) as upper,
        {{ metric.winsorize.nonzero }} as nonzero
      {{ 'union all' if not loop.last }}
      {% else -%}
      select '' as metric, cast(0 as decimal(9, 6)) as lower, cast(1 as decimal(9, 6)) as upper, false as nonzero where false
      {% endfor -%}
    ) as limits using (metric)
  ),

  value_counts as (
    select
      counts.experiment_id, counts.metric, counts.day, counts.variant_id, counts.value, counts.before,
      one.segment, one.level as segment_level, analyses.analysis, analyses.sign * counts.units as units
    from {{ ref('int_value_counts') }} as counts
    inner join (
      values ('default', 'entered', 1), ('crossovers_excluded', 'entered', 1), ('crossovers_excluded', 'crossed', -1)
    ) as analyses (analysis, part, sign) using (part),
      unnest(list_prepend({segment: 'all', level: 'all'}, counts.segments)) as of_segments (one)
    where counts.metric in (select limits.metric from winsorized_cut_offs as limits)
  ),

  counted as (
    select
      grid.experiment_id, grid.metric, grid.analysis, grid.segment, grid.segment_level, grid.variant_id, grid.day,
      value_counts.value, value_counts.before, sum(value_counts.units) as units
    from winsorized_cut_offs as grid
    inner join value_counts using (experiment_id, metric, analysis, segment, segment_level, variant_id)
    where value_counts.day <= grid.day
    group by all
  ),

  zeros as (
    select
      running.experiment_id, running.metric, running.analysis, running.segment, running.segment_level,
      running.variant_id, running.day, 0 as value, 0 as before,
      any_value(running.n) - coalesce(sum(counted.units), 0) as units
    from running
    inner join winsorized_cut_offs as grid
      using (experiment_id, metric, analysis, segment, segment_level, variant_id, day)
    left join counted using (experiment_id, metric, analysis, segment, segment_level, variant_id, day)
    group by all
  ),

  distribution as (
    select * from counted
    union all
    select * from zeros
  ),

  caps_y as ({{ pooled_caps('value') }}),

  caps_x as ({{ pooled_caps('before') }}),

  capped as (
    select
      distribution.experiment_id, distribution.metric, distribution.analysis, distribution.segment,
      distribution.segment_level, distribution.variant_id, distribution.day, distribution.units,
      caps_y.low as cap_low, caps_y.high as cap_high, caps_x.low as cap_x_low, caps_x.high as cap_x_high,
      {{ capped_value('distribution.value', 'caps_y') }} as y,
      {{ capped_value('distribution.before', 'caps_x') }} as x
    from distribution
    left join caps_y using (experiment_id, metric, day)
    left join caps_x using (experiment_id, metric, day)
  ),

  winsorized as (
    select
      experiment_id, metric, analysis, segment, segment_level, variant_id, day,
      cast(min(cap_low) as bigint) as cap_low,
      cast(min(cap_high) as bigint) as cap_high,
      cast(min(cap_x_low) as bigint) as cap_x_low,
      cast(min(cap_x_high) as bigint) as cap_x_high,
      sum(y * units) as sum_y,
      sum(x * units) as sum_x,
      sum(y * y * units) as sum_yy,
      sum(y * x * units) as sum_yx,
      sum(x * x * units) as sum_xx
    from capped
    group by experiment_id, metric, analysis, segment, segment_level, variant_id, day
  )
{%- endmacro -%}


{#- The caps of one column of `distribution`; none where no value counts, which are all 0 then. -#}
{%- macro pooled_caps(column) -%}
    select
      pooled.experiment_id, pooled.metric, pooled.day, bool_or(pooled.nonzero) as nonzero,
      min(pooled.value) filter (
        pooled.units_up_to >= greatest(1, ceil(pooled.lower * cast(pooled.units as decimal(18, 0))))) as low,
      min(pooled.value) filter (
        pooled.units_up_to >= greatest(1, ceil(pooled.upper * cast(pooled.units as decimal(18, 0))))) as high
    from (
      select
        distribution.experiment_id, distribution.metric, distribution.day, distribution.{{ column }} as value,
        limits.lower, limits.upper, limits.nonzero,
        sum(sum(distribution.units)) over up_to as units_up_to,
        sum(sum(distribution.units)) over whole as units
      from distribution
      inner join (select distinct metric, lower, upper, nonzero from winsorized_cut_offs) as limits using (metric)
      where distribution.analysis = 'default' and distribution.segment = 'all'
        and (distribution.{{ column }} <> 0 or not limits.nonzero)
      group by distribution.experiment_id, distribution.metric, distribution.day, distribution.{{ column }},
        limits.lower, limits.upper, limits.nonzero
      window
        up_to as (
          partition by distribution.experiment_id, distribution.metric, distribution.day
          order by distribution.{{ column }}),
        whole as (partition by distribution.experiment_id, distribution.metric, distribution.day)
    ) as pooled
    group by pooled.experiment_id, pooled.metric, pooled.day
{%- endmacro -%}


{#- A metric whose caps leave the zeros out leaves a 0 at 0. -#}
{%- macro capped_value(value, caps) -%}
  case
    when {{ value }} = 0 and coalesce({{ caps }}.nonzero, true) then cast(0 as hugeint)
    else cast(least(greatest({{ value }}, {{ caps }}.low), {{ caps }}.high) as hugeint)
  end
{%- endmacro -%}


{#-
  Narrow a scan to the days that touched partitions can come from, so that finished days are skipped unread: for
  exposures the two days on which a window that closes that day can have begun. Units in two arms and changed
  definitions are let through; the exact predicate follows.
-#}
{%- macro only_days(column, alias) -%}
  {%- if not can_query() or is_reset() -%}{{- return('') -}}{%- endif -%}
  {%- set touched = ref('int_touched_partitions') | string -%}
  {%- if column.endswith('exposure_day') -%}
    {%- set query = "
      select distinct unnest([
        cast(touched.day - to_microseconds(coalesce(windows.window_end, 0)) as date),
        cast(touched.day + 1 - to_microseconds(coalesce(windows.window_end, 0)) as date)]) as day
      from " ~ touched ~ " as touched
      left join " ~ ref('int_metric_windows') ~ " as windows using (experiment_id, metric)" -%}
  {%- else -%}
    {%- set query = 'select distinct day from ' ~ touched -%}
  {%- endif -%}
  and ({{ column }} in ({{ day_literals(query) }}) or {{ alias }}.second_arm_at is not null
    {%- if any_definition_changed() %} or true{% endif %})
{%- endmacro -%}
