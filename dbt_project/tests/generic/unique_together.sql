{#- `among`: name of a scope (macros/run/scopes.sql) to which a run's own look is limited. -#}
{% test unique_together(model, columns, among=none) %}
-- depends_on: {{ ref('int_value_scope') }}
-- depends_on: {{ ref('int_open_scope') }}
-- depends_on: {{ ref('int_metric_windows') }}
select {{ columns | join(', ') }}, count(*) as rows
from {{ model }}
where {{ written_by_this_run(among) }}
group by {{ columns | join(', ') }}
having count(*) > 1
{% endtest %}
