{#- A join must not invent units: every value belongs to exactly one exposure, in its variant. -#}
{% test known_exposure(model) %}
select unit_values.experiment_id, unit_values.unit_id
from {{ model }} as unit_values
left join {{ ref('fct_exposures') }} as exposures
    on unit_values.experiment_id = exposures.experiment_id
        and unit_values.unit_id = exposures.unit_id
        and unit_values.variant_id = exposures.variant_id
where exposures.unit_id is null
{% endtest %}
