-- Each declared segment splits the units: its levels add up to the total, at the newest cut-off.
with
newest as (
    select experiment_id, metric, variant_id, segment, cast(sum(n) as bigint) as n, sum(sum_y) as sum_y
    from {{ ref('fct_sufficient_statistics') }}
    where analysis = 'default' and cap_high is null
    group by experiment_id, metric, variant_id, segment, cut_off
    qualify cut_off = max(cut_off) over (partition by experiment_id, metric)
)

select parts.*
from newest as parts
inner join newest as total using (experiment_id, metric, variant_id)
where parts.segment <> 'all' and total.segment = 'all' and (parts.n <> total.n or parts.sum_y <> total.sum_y)
