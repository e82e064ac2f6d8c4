{#- A join must not invent units: every value belongs to exactly one exposure, in its variant. `among` as in
   unique_together. -#}
{% test known_exposure(model, among) %}
-- depends_on: {{ ref('int_value_scope') }}
-- depends_on: {{ ref('int_open_scope') }}
-- depends_on: {{ ref('int_metric_windows') }}
with
written as (
    select experiment_id, unit_id, variant_id from {{ model }} where {{ written_by_this_run(among) }}
)

select written.experiment_id, written.unit_id
from written
left join {{ ref('fct_exposures') }} as exposures
    on written.experiment_id = exposures.experiment_id
        and written.unit_id = exposures.unit_id
        and written.variant_id = exposures.variant_id
where exposures.unit_id is null
{% endtest %}
