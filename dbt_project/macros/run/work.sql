{#-
  What one invocation has to do, kept durably in schema `work` so that a killed run can be run again:
  - work.state: key → value. `frontier` = last finished day, `asked_to` = the day a caller
    wants, `target` = the day a run has set out for.
    `brought` = what was built in shards lies here, and only models that read it are still to be built; after such a run no
    other goes on from here, since units' rows have stayed in the shards: no `reset_hash` is its like.
    `unit_type` = the kind of unit whose events alone lie here, in a shard (macros/run/shards.sql).
    `merged_on` = the day whose run merged the row groups last.
    `macros` = hash of the macros' text as the caller sees it: dbt's graph does not tell when they change.
  - work.definitions: hash of each experiment and metric as last applied.
  - work.changed_experiments, work.changed_metrics: definitions whose keys are to be computed anew.
  - work.changed_targetings: experiments whose targeting is another, by what the segments that it names say now.
  - work.changed_loss_days: days on which what landed but is no event has changed.
  - work.changed_exposures: keys and old or new exposure of every exposure row that was rewritten.
  - work.moved_units: units that gained or lost an anonymous id.
  - work.partitions: entry days whose increments are to be aggregated anew.
  - work.rewrites: per model and partition, rows computed and rows that really changed, for the last run.
  - work.links_of_all_shards, work.magnitudes_of_all_shards: what a shard has to know of the others; see macros/run/shards.sql.
  All but state, definitions, rewrites and what is of all shards are emptied by the last step, together with the outbox.
-#}

{%- macro can_query() -%}
  {#- False while parsing, and under the target `lint`, which has no warehouse behind it. -#}
  {{- return(execute and target.name != 'lint') -}}
{%- endmacro -%}


{%- macro work_state(key) -%}
  {%- if not can_query() -%}{{- return(none) -}}{%- endif -%}
  {%- set rows = standing_rows("select value from work.state where key = '" ~ key ~ "'") -%}
  {{- return(rows[0][0] if rows else none) -}}
{%- endmacro -%}


{%- macro is_reset() -%}
  {#- Nothing that stands can be built upon: the first run, or the SQL, the filters or the first day have changed. -#}
  {{- return(work_state('frontier') is none) -}}
{%- endmacro -%}


{%- macro frontier_before() -%}
  {#- SQL literal of the last finished day; a day before all data when nothing is finished. -#}
  {{- return("date '" ~ (work_state('frontier') or '0001-01-01') ~ "'") -}}
{%- endmacro -%}


{%- macro frontier_after() -%}
  {{- return("date '" ~ (work_state('target') or '0001-01-01') ~ "'") -}}
{%- endmacro -%}


{%- macro is_concerned() -%}
  {#- Whether a command has anything of this package to do. In a project that has it as a package the hooks run for every
      command of that project, whose warehouse may hold nothing that they ask for. -#}
  {%- set own = [] -%}
  {%- for id in selected_resources -%}
    {%- if id.split('.')[1] == 'fairsplit' -%}{%- do own.append(id) -%}{%- endif -%}
  {%- endfor -%}
  {{- return(execute and own | length > 0) -}}
{%- endmacro -%}


{%- macro begin_run() -%}
  {#- On run start: make the work tables, decide how far to go and note changed definitions, in one transaction. -#}
  {%- if is_concerned() and flags.WHICH in ('run', 'build') -%}
    {%- set definitions = [] -%}
    {%- do run_query(work_tables_ddl()) -%}
    {%- for metric in metric_definitions() -%}
      {%- do definitions.append("('metric', '" ~ metric.name ~ "', '" ~ metric.hash ~ "')") -%}
    {%- endfor -%}
    {%- set reset_hash = local_md5(project_hash() ~ (work_state('macros') or '') ~ catalogue_hash()) -%}
    {%- set measures_hash = local_md5(tojson([additive_measures(), event_measures(), unit_types()], sort_keys=true)) -%}
    {%- set asked = var('cut_off_to') -%}
    {%- do run_query("
      begin transaction;
      delete from work.rewrites;
      delete from work.definitions where kind like 'now:%';
      insert into work.definitions
        select 'now:experiment', experiment_id, concat_ws('|', definition_hash, allocation_hash) from catalog.experiments
        union all select 'now:targeting', experiment_id, md5(concat_ws('|', attributes, verdict)) from catalog.targetings
        " ~ ("union all select 'now:' || kind, name, hash from (values " ~ definitions | join(', ') ~ ") as d(kind, name, hash)" if definitions else "") ~ ";
      insert or replace into work.state
        select 'target', max(day) from (
          select value as day from work.state where key in ('frontier', 'target', 'asked_to')
          union all select " ~ ("'" ~ asked ~ "'" if asked else "null") ~ "
        ) having max(day) is not null;
      insert or replace into work.state
        select 'asked_reset', '" ~ reset_hash ~ "' where not exists (
          select 1 from work.state where key = 'reset_hash' and value = '" ~ reset_hash ~ "');
      delete from work.state where key = 'frontier' and exists (select 1 from work.state where key = 'asked_reset');
      insert or replace into work.state
        select 'rebuild_units', '1' where not exists (
          select 1 from work.state where key = 'measures_hash' and value = '" ~ measures_hash ~ "');
      insert or replace into work.state values
        ('now:reset_hash', '" ~ reset_hash ~ "'), ('now:measures_hash', '" ~ measures_hash ~ "');
      insert or ignore into work.changed_experiments
        select name from work.definitions where kind in ('experiment', 'now:experiment')
        group by name having count(distinct hash) > 1 or count(*) = 1;
      insert or ignore into work.changed_metrics
        select name from work.definitions where kind in ('metric', 'now:metric')
        group by name having count(distinct hash) > 1 or count(*) = 1;
      insert or ignore into work.changed_targetings
        select name from work.definitions where kind in ('targeting', 'now:targeting')
        group by name having count(distinct hash) > 1 or count(*) = 1;
      commit;
    ") -%}
    {%- do forget_answers() -%}
  {%- endif -%}
{%- endmacro -%}


{%- macro end_run(results) -%}
  {#- On run end: only if every model stands, record the new frontier and clear what was owed, in one transaction. -#}
  {%- if is_concerned() and flags.WHICH in ('run', 'build') -%}
    {%- set models = results | selectattr('node.resource_type', 'equalto', 'model')
        | selectattr('node.package_name', 'equalto', 'fairsplit') | list -%}
    {%- set failed = models | selectattr('status', 'in', ['error', 'skipped', 'fail']) | list -%}
    {%- set incremental = graph.nodes.values() | selectattr('resource_type', 'equalto', 'model')
        | selectattr('config.materialized', 'equalto', 'replace') | list -%}
    {%- set built = models | selectattr('node.config.materialized', 'equalto', 'replace') | list -%}
    {#- What was built in shards has been brought here, and this run has finished the models that read it. -#}
    {%- set brought = work_state('brought') is not none -%}
    {%- if not failed and (brought or built | length == incremental | length) and work_state('target') -%}
      {%- do run_query("
        begin transaction;
        delete from landing.touched_units where event_day <= " ~ frontier_after() ~ ";
        delete from landing.touched_exposures where event_day <= " ~ frontier_after() ~ ";
        delete from landing.touched_links;
        delete from work.changed_experiments;
        delete from work.changed_metrics;
        delete from work.changed_targetings;
        delete from work.changed_loss_days;
        delete from work.changed_exposures;
        delete from work.moved_units;
        delete from work.partitions;
        delete from work.definitions where kind not like 'now:%';
        update work.definitions set kind = substr(kind, 5);
        insert or replace into work.state select 'frontier', value from work.state where key = 'target';
        insert or replace into work.state select substr(key, 5), value from work.state where key like 'now:%';
        " ~ ("insert or replace into work.state values ('reset_hash', 'built in shards');" if brought else "") ~ "
        delete from work.state where key in ('asked_reset', 'rebuild_units', 'brought') or key like 'now:%';
        commit;
      ") -%}
    {%- endif -%}
  {%- endif -%}
{%- endmacro -%}


{%- macro work_tables_ddl() -%}
  create schema if not exists work;
  create table if not exists work.state (key varchar primary key, value varchar);
  create table if not exists work.definitions (kind varchar, name varchar, hash varchar);
  create table if not exists work.changed_experiments (experiment_id varchar primary key);
  create table if not exists work.changed_metrics (metric varchar primary key);
  create table if not exists work.changed_targetings (experiment_id varchar primary key);
  create table if not exists work.changed_loss_days (event_day date);
  create table if not exists work.changed_exposures (
    experiment_id varchar, unit_id varchar, variant_id varchar, exposed_at timestamp, second_arm_at timestamp);
  create table if not exists work.moved_units (unit_id varchar);
  create table if not exists work.partitions (experiment_id varchar, metric varchar, day date);
  create table if not exists work.links_of_all_shards (
    anonymous_id varchar, user_id varchar, occurred_at timestamp, event_id varchar);
  create table if not exists work.magnitudes_of_all_shards (
    experiment_id varchar, metric varchar, day date, magnitude hugeint);
  create table if not exists work.rewrites (
    model varchar, partition varchar, rows_computed bigint, rows_changed bigint);
  create schema if not exists journal;
  create table if not exists journal.pruned (
    experiment_id varchar, ended_at timestamp, pruned_at timestamp, "rows" bigint);
  create table if not exists journal.pruned_audits (
    experiment_id varchar, assigned_day date, phase integer, variant_id varchar, sdk_version varchar,
    platform varchar, units bigint, mismatched bigint);
{%- endmacro -%}


{%- macro project_hash() -%}
  {#- Changes whenever a model's or macro's SQL does: then nothing that was computed before can be trusted. -#}
  {%- set parts = [] -%}
  {%- for node in graph.nodes.values() | selectattr('resource_type', 'equalto', 'model')
      | selectattr('package_name', 'equalto', 'fairsplit') -%}
    {%- do parts.append(node.name ~ node.checksum.checksum) -%}
  {%- endfor -%}
  {{- return(local_md5(parts | sort | join(','))) -}}
{%- endmacro -%}


{%- macro catalogue_hash() -%}
  {#- What applies to every event: the filters and the first day. -#}
  {%- set rows = run_query("
    select md5(
      coalesce((select string_agg(concat_ws('|', name, kind, column_name, operator, operand_values::varchar), ',' order by name)
                from catalog.filters), '')
      || coalesce((select value from catalog.settings where key = 'first_day'), ''))") -%}
  {{- return(rows.columns[0].values()[0]) -}}
{%- endmacro -%}


{%- macro unit_types() -%}
  {#- Unit types that some experiment uses; only these are aggregated. -#}
  {%- if not can_query() -%}{{- return(['user']) -}}{%- endif -%}
  {%- if shard_unit_type() -%}{{- return([shard_unit_type()]) -}}{%- endif -%}
  {%- set rows = standing_rows('select distinct unit_type from catalog.experiments order by unit_type') -%}
  {{- return((rows | map(attribute=0) | list) or ['user']) -}}
{%- endmacro -%}
