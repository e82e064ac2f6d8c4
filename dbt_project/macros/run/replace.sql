{#-
  Materialization `replace`: a table of which a run replaces a declared scope, and nothing else.

  - `scope` (name of a macro: SQL predicate over the table): the rows that this run computes anew. The model's query yields the
    same scope, so a rebuild (everything in scope) and an increment are one SQL.
  - Only rows that really differ are deleted and inserted, in one transaction with `on_change` (name of a macro
    that gets the relations of removed and of added rows and returns SQL): what follows from a change is recorded
    with the change, or neither happens.
  - `days` (name of a macro that yields {day, whole}) runs the query once a day, with the_day() filled in; a whole day
    is replaced without comparing, and without on_finished_day(). One day at a time is faster and needs less memory.
  - `partition_by` (SQL expression): what work.rewrites counts rows by.
  A reset (work.state has no frontier) drops the table first. Temporary tables only; no second copy is kept.
-#}
{% materialization replace, adapter='duckdb' %}
  {%- set target = this.incorporate(type='table') -%}
  {%- set existing = load_cached_relation(this) -%}
  {%- set scope = context[config.require('scope')]() -%}
  {%- set partition_by = config.get('partition_by') or "'all'" -%}
  {%- set days_macro = config.get('days') -%}
  {%- set fresh = adapter.quote(this.identifier ~ '__fresh') -%}
  {%- set gone = adapter.quote(this.identifier ~ '__gone') -%}
  {%- set added = adapter.quote(this.identifier ~ '__added') -%}
  {%- set reset = is_reset()
      or (config.get('rebuilds_with_measures', false) and work_state('rebuild_units') is not none) -%}

  {{ run_hooks(pre_hooks, inside_transaction=False) }}
  {{ run_hooks(pre_hooks, inside_transaction=True) }}

  {% if existing is not none and (existing.is_view or reset) %}
    {% do adapter.drop_relation(existing) %}
    {% set existing = none %}
  {% endif %}
  {% if existing is none %}
    {% call statement('create') %}{{ create_empty(target, sql) }}{% endcall %}
  {% endif %}

  {% if days_macro %}
    {% set days = context[days_macro](reset) %}
    {% for part in days %}
      {% set body = sql_of_day(sql, part) %}
      {% set of_day = "event_day = date '" ~ part.day ~ "'" %}
      {% call statement('replace_day') %}
        delete from {{ target }} where {{ of_day }}
        {%- if not part.whole %} and ({{ scope | replace(the_day(), "date '" ~ part.day ~ "'") }}){% endif %};
        insert into {{ target }} by name {{ body }};
      {% endcall %}
      {% set written = of_day if part.whole else of_day ~ ' and (' ~ (scope | replace(the_day(), "date '" ~ part.day ~ "'")) ~ ')' %}
      {% do log_rewrite(target, "select '" ~ part.day ~ "' as part, count(*) as rows from " ~ target ~ ' where ' ~ written, none) %}
    {% endfor %}
    {% call statement('main') %}select {{ days | length }} as days{% endcall %}
  {% else %}
    {% call statement('scope') %}
      create or replace temp table {{ gone }} as select * from {{ target }} where {{ in_scope(scope) }};
    {% endcall %}
    {% set old_rows = run_query('select count(*) from ' ~ gone).columns[0].values()[0] %}
    {% call statement('main') %}
      create or replace temp table {{ fresh }} as {{ sql }};
    {% endcall %}
    {% set changed = fresh %}
    {% if old_rows > 0 %}
      {% set changed = added %}
      {% call statement('compare') %}
        create or replace temp table {{ added }} as select * from {{ fresh }} except select * from {{ gone }};
        create or replace temp table {{ gone }} as select * from {{ gone }} except select * from {{ fresh }};
        delete from {{ target }} as t using {{ gone }} as g
        where {% for column in config.require('key') -%}
          t.{{ column }} is not distinct from g.{{ column }}{{ ' and ' if not loop.last }}
        {%- endfor %};
      {% endcall %}
    {% endif %}
    {% call statement('insert') %}insert into {{ target }} by name select * from {{ changed }};{% endcall %}
    {% if config.get('on_change') %}
      {% call statement('on_change') %}{{ context[config.get('on_change')](gone, changed) }}{% endcall %}
    {% endif %}
    {% do log_rewrite(
        target,
        'select ' ~ partition_by ~ ' as part, count(*) as rows from ' ~ fresh ~ ' group by all',
        'select ' ~ partition_by ~ ' as part, count(*) as rows from (select * from ' ~ changed
          ~ ' union all select * from ' ~ gone ~ ') group by all') %}
    {% call statement('clean') %}
      drop table if exists {{ fresh }}; drop table if exists {{ gone }}; drop table if exists {{ added }};
    {% endcall %}
  {% endif %}

  {{ run_hooks(post_hooks, inside_transaction=True) }}
  {% do persist_docs(target, model) %}
  {{ adapter.commit() }}
  {{ run_hooks(post_hooks, inside_transaction=False) }}
  {{ return({'relations': [target]}) }}
{% endmaterialization %}


{%- macro the_day() -%}
  {#- The day that a `replace` model with `days` is being run for. -#}
  {{- return("date '0001-01-02'") -}}
{%- endmacro -%}


{%- macro on_finished_day(predicate) -%}
  {#- Which rows of the_day() are computed where it is finished. A whole day is not asked: `true or … in (…)` would still
      look every event up. -#}
  {{- return('/*finished*/(' ~ predicate ~ ')/*:finished*/' if can_query() else '(' ~ predicate ~ ')') -}}
{%- endmacro -%}


{%- macro sql_of_day(sql, part) -%}
  {%- set pieces = (sql | replace(the_day(), "date '" ~ part.day ~ "'")).split('/*finished*/') -%}
  {%- set kept = [pieces[0]] -%}
  {%- for piece in pieces[1:] -%}
    {%- set predicate, rest = piece.split('/*:finished*/', 1) -%}
    {%- do kept.append(('true' if part.whole else predicate) ~ rest) -%}
  {%- endfor -%}
  {{- return(kept | join) -}}
{%- endmacro -%}


{%- macro create_empty(relation, sql) -%}
  {#- An empty table: by its contract where it has one (the query is checked against it), else by the query. -#}
  {%- if config.get('contract').enforced -%}
    {{ get_assert_columns_equivalent(sql) }}
    create table {{ relation }} {{ get_table_columns_and_constraints() }};
  {%- else -%}
    create table {{ relation }} as select * from ({{ sql }}) limit 0;
  {%- endif -%}
{%- endmacro -%}


{%- macro log_rewrite(relation, computed, changed) -%}
  {%- call statement('rewrites') -%}
    insert into work.rewrites
    select '{{ relation.identifier }}', {% if changed %}coalesce(computed.part, changed.part){% else %}computed.part{% endif %}::varchar, coalesce(computed.rows, 0),
           {% if changed %}coalesce(changed.rows, 0){% else %}computed.rows{% endif %}
    from ({{ computed }}) as computed
    {% if changed %}full join ({{ changed }}) as changed using (part){% endif %}
    {% if changed %}where coalesce(computed.part, changed.part) is not null{% endif %};
  {%- endcall -%}
{%- endmacro -%}
