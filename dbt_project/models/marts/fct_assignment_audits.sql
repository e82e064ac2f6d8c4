{{ config(
    materialized='replace',
    key=['experiment_id', 'assigned_day', 'phase', 'variant_id', 'sdk_version', 'platform'],
    scope='audit_scope',
    partition_by='assigned_day',
    meta={'shards': 'added', 'sums': ['units', 'mismatched']}
) }}
with
-- Of pruned experiments the assignments are gone, and their sums were kept.
audits as (
    select
        experiment_id,
        cast(assigned_at as date) as assigned_day,
        phase,
        logged_variant_id as variant_id,
        sdk_version,
        platform,
        count(*) as units,
        count(*) filter (where not in_traffic or variant_id is distinct from logged_variant_id) as mismatched
    from {{ ref('fct_assignments') }} as assignments
    -- The sides of a measured holdout are computed: nothing is logged that could differ.
    where assignments.logged_variant_id is not null
        and assignments.experiment_id not in (
            select experiments.experiment_id
            from {{ source('catalog', 'experiments') }} as experiments
            where experiments.holdout_id is not null
        )
        and assignments.experiment_id not in (
            select pruned.experiment_id from {{ source('journal', 'pruned') }} as pruned
        )
    group by all
    union all by name
    select * from {{ source('journal', 'pruned_audits') }}
)

select experiment_id, assigned_day, phase, variant_id, sdk_version, platform, units, mismatched
from audits
where {{ in_scope(audit_scope()) }}
