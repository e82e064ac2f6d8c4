{#- The semantic layer as the models need it: lists of plain dicts, written from `graph` (empty while parsing). -#}

{%- macro measure_definitions() -%}
  {#- name → {name, agg, expr, scale} of every measure of every semantic model. -#}
  {%- set found = {} -%}
  {%- if can_query() -%}
    {%- for model in graph.semantic_models.values() -%}
      {%- for measure in model.measures -%}
        {%- set meta = ((measure.config or {}).get('meta') or {}).get('fairsplit') or {} -%}
        {%- do found.update({measure.name: {
            'name': measure.name,
            'agg': measure.agg | string | lower | replace('aggregationtype.', ''),
            'expr': measure.expr or measure.name,
            'scale': meta.get('scale', 1),
        }}) -%}
      {%- endfor -%}
    {%- endfor -%}
  {%- endif -%}
  {{- return(found) -}}
{%- endmacro -%}


{%- macro used_metric_names() -%}
  {#- Metrics that some experiment of the catalogue names: only these are computed. -#}
  {%- if not can_query() -%}{{- return([]) -}}{%- endif -%}
  {%- set rows = run_query('select distinct metric from catalog.experiment_metrics order by metric') -%}
  {{- return(rows.columns[0].values() | list) -}}
{%- endmacro -%}


{%- macro metric_definitions() -%}
  {#- The used metrics, sorted by name, each with its window in microseconds (end none = open) and its measures. -#}
  {%- set found = [] -%}
  {%- if can_query() -%}
    {%- set measures = measure_definitions() -%}
    {%- set used = used_metric_names() -%}
    {%- set by_name = {} -%}
    {%- for metric in graph.metrics.values() -%}{%- do by_name.update({metric.name: metric}) -%}{%- endfor -%}
    {%- for name in used if name in by_name -%}
      {%- set metric = by_name[name] -%}
      {%- set meta = metric.config.meta.get('fairsplit') -%}
      {%- if meta -%}
        {%- set y = measures[base_measure(by_name, metric, 'numerator')] -%}
        {%- set d = measures[base_measure(by_name, metric, 'denominator')] if metric.type | string == 'ratio' else none -%}
        {%- set steps = [] -%}
        {%- for step in meta.get('funnel') or [] -%}{%- do steps.append(measures[step]) -%}{%- endfor -%}
        {%- set day = meta.get('retention_day') -%}
        {%- set window = window_microseconds(meta.window) -%}
        {%- set start = (day * 86400000000) if day is not none else 0 -%}
        {%- set end = (start + 86400000000) if day is not none else window -%}
        {%- set histogram = meta.kind in ('percentile', 'funnel') or meta.get('winsorize') is not none
            or meta.get('test') in ('mann_whitney', 'ks') -%}
        {%- set facts = {'meta': meta, 'y': y, 'd': d, 'steps': steps} -%}
        {%- do found.append({
            'name': name, 'kind': meta.kind, 'start': start, 'end': end, 'cuped': meta.get('cuped', false),
            'winsorize': meta.get('winsorize'), 'histogram': histogram, 'y': y, 'd': d, 'steps': steps,
            'by_event': meta.kind in ('count_distinct', 'funnel', 'time_to_conversion'),
            'hash': local_md5(tojson(facts, sort_keys=true)),
        }) -%}
        {%- if end is none and found[-1].by_event -%}
          {{- exceptions.raise_compiler_error("metric " ~ name ~ ": kind " ~ meta.kind ~ " needs a fixed window") -}}
        {%- endif -%}
      {%- endif -%}
    {%- endfor -%}
  {%- endif -%}
  {{- return(found) -}}
{%- endmacro -%}


{%- macro base_measure(by_name, metric, part) -%}
  {#- Name of the measure behind a simple metric, or behind one part of a ratio (whose parts are metrics). -#}
  {%- if metric.type | string == 'ratio' -%}
    {{- return(base_measure(by_name, by_name[metric.type_params[part].name], 'numerator')) -}}
  {%- endif -%}
  {{- return(metric.type_params.measure.name) -}}
{%- endmacro -%}


{%- macro window_microseconds(window) -%}
  {#- `7d`, `24h`, `30m` or `90s` in microseconds; none for `open`. -#}
  {%- if window == 'open' -%}{{- return(none) -}}{%- endif -%}
  {%- set units = {'s': 1000000, 'm': 60000000, 'h': 3600000000, 'd': 86400000000, 'w': 604800000000} -%}
  {{- return((window[:-1] | int) * units[window[-1]]) -}}
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
    {%- for step in metric.steps -%}{%- do found.update({step.name: step}) -%}{%- endfor -%}
  {%- endfor -%}
  {%- if can_query() -%}
    {%- set events = run_query('select distinct activation_event from catalog.experiments where activation_event is not null') -%}
    {%- for event in events.columns[0].values() -%}
      {%- do found.update({'@' ~ event: {
          'name': '@' ~ event, 'agg': 'count', 'scale': 1,
          'expr': 'case when event_name = ' ~ text_literal(event) ~ ' then 1 end'}}) -%}
    {%- endfor -%}
  {%- endif -%}
  {%- set sorted = [] -%}
  {%- for name in found | sort -%}{%- do sorted.append(found[name]) -%}{%- endfor -%}
  {{- return(sorted) -}}
{%- endmacro -%}


{%- macro scaled_value(measure) -%}
  {#- What one event adds to the measure, as an integer: 1 or 0 for counts, the value times its scale for sums. -#}
  {%- if measure.agg == 'count' -%}
    cast(({{ measure.expr }}) is not null as bigint)
  {%- else -%}
    cast(coalesce(round_even(({{ measure.expr }}) * {{ measure.scale }}, 0), 0) as bigint)
  {%- endif -%}
{%- endmacro -%}
