-- n + n_open of a metric's total = the exposures so far: no join drops a unit or counts it twice.
with
exposed as (
    select experiment_id, variant_id, cast(count(*) as bigint) as units
    from {{ ref('fct_exposures') }}
    group by experiment_id, variant_id
),

last_cut_off as (
    select experiment_id, metric, variant_id, arg_max(n + n_open, cut_off) as units
    from {{ ref('fct_sufficient_statistics') }}
    where segment = 'all' and analysis = 'default'
    group by experiment_id, metric, variant_id
)

select last_cut_off.*, exposed.units as exposed
from last_cut_off
left join exposed using (experiment_id, variant_id)
where last_cut_off.units <> coalesce(exposed.units, 0)
