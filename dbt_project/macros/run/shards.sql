{#-
  A shard is a home that holds the events of some units of one kind: (unit type, hash of the linked unit). The same models
  build it. `meta.shards` of a model says what becomes of its rows (orchestration/sharding/combining.py):
  - `united`: they belong to units, and each unit has one shard; `kept`: likewise, and nobody else reads them;
  - `added`: `meta.sums` are added up by all other columns; without any, rows that several shards have are one;
  - `finished`: the model reads what was added up, and is built where everything has been brought together.
  What a shard cannot know by itself lies in `work`: the earliest link of an anonymous id may be another user's event, and
  whether sums fit 128 bits all units decide together. In an ordinary home these tables are empty.
-#}

{%- macro shard_unit_type() -%}
  {#- The kind of unit whose events alone lie here; none in an ordinary home. -#}
  {{- return(work_state('unit_type')) -}}
{%- endmacro -%}


{#- Which rows of some kind of unit are this home's: an event is in a shard of each kind of unit. -#}
{%- macro of_this_shard(unit_type) -%}
  {{- return(unit_type ~ " = '" ~ shard_unit_type() ~ "'" if shard_unit_type() else 'true') -}}
{%- endmacro -%}
