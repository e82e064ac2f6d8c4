{#-
  What is asked once a run. Each model asks the warehouse, while it is compiled, for definitions and for how far the run goes:
  some thousand queries, and most of them the same. The models of one invocation share `graph`; answers lie there.
-#}

{#- Rows of a query that has one answer for the whole run, or for all models that come to ask. -#}
{%- macro standing_rows(query) -%}
  {%- set answers = standing_answers() -%}
  {%- if query not in answers -%}{%- do answers.update({query: run_query(query).rows | list}) -%}{%- endif -%}
  {{- return(answers[query]) -}}
{%- endmacro -%}


{%- macro standing_answers() -%}
  {#- Tests run several invocations over one graph. -#}
  {%- if graph.get('fairsplit_invocation') != invocation_id -%}{%- do forget_answers() -%}{%- endif -%}
  {{- return(graph['fairsplit_answers']) -}}
{%- endmacro -%}


{#- What was asked before a run knew its day and its definitions is asked again. -#}
{%- macro forget_answers() -%}
  {%- do graph.update({'fairsplit_invocation': invocation_id, 'fairsplit_answers': {}}) -%}
{%- endmacro -%}
