"""Units whose outcome came before their exposure in the same session, kept from run to run by exposure day."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairsplit.orchestration.judging.kept_days import EVENT_INPUTS, changed_days
from fairsplit.orchestration.provenance.code_hash import code_hash
from fairsplit.orchestration.warehouse.measure_sql import scaled

if TYPE_CHECKING:
    import duckdb

    from fairsplit.orchestration.catalogue.loading import Definitions

# The exposure's own day only: a session that crosses midnight would make each day depend on two.
_UNITS = """
    select e.experiment_id, e.variant_id, e.exposure_day, count(*) as units,
        count(*) filter (where o.first_at < e.exposed_at) as early
    from fct_exposures as e
    inner join (
        select session_id, measure, event_day, min(occurred_at) as first_at from ({outcomes}) group by all
    ) as o on e.session_id = o.session_id and e.exposure_day = o.event_day
    inner join early_outcome_measures as m on e.experiment_id = m.experiment_id and o.measure = m.measure
    where e.exposure_day in (select day from early_outcomes_changes)
    group by all
"""
_OUTCOMES = """
    select session_id, '{name}' as measure, event_day, occurred_at from stg_events
    where session_id is not null and event_day in (select day from early_outcomes_changes)
        and {value} > 0
"""
# The exposures of a day, the content of its part of the lake, the filters that its events pass, and what is asked.
_HASHES = f"""
    with {EVENT_INPUTS},
    exposures as (
        select exposure_day as day, sum(hash((experiment_id, variant_id, session_id, exposed_at))::hugeint) as h
        from fct_exposures group by all
    )
    select day, concat_ws('|', exposures.h, lake.h, excluded.h, filters.h, $asked) as input_hash
    from exposures cross join filters left join lake using (day) left join excluded using (day)
"""


def keep_early_outcomes(connection: duckdb.DuckDBPyConnection, definitions: Definitions) -> None:
    """Bring `results.early_outcomes` up to date with exposures and events, in one transaction.

    Rows: experiment_id, variant_id, exposure_day, `units` with an outcome in the session of their exposure, and how
    many of these had it `early`, before the exposure. Only conversions are asked: a count of clicks or pages rightly
    begins before an exposure in the middle of a session.

    Args:
        connection: A writer without an open transaction; dbt's marts are built, schema `results` exists.
        definitions: The catalogue and its metrics.
    """
    asked = [
        (experiment.id, definitions.measures[metric.numerator])
        for experiment in definitions.catalogue.experiments.values()
        for use in experiment.metrics.primary
        if (metric := definitions.metrics[use.metric]).kind == "proportion"
        and metric.numerator in definitions.measures
    ]
    used = {measure.name: measure for _, measure in asked}
    connection.execute("begin")
    connection.execute(
        "create or replace temp table early_outcome_measures (experiment_id varchar, measure varchar)"
    )
    if asked:
        connection.executemany(
            "insert into early_outcome_measures values (?, ?)",
            [(one, measure.name) for one, measure in asked],
        )
    connection.execute(
        """create table if not exists results.early_outcomes
           (experiment_id varchar, variant_id varchar, exposure_day date, units bigint, early bigint)"""
    )
    # The hash of the code stands for the SQL between the lake and `stg_events`.
    wanted = [code_hash(), *sorted((one, measure.name, measure.expr) for one, measure in asked)]
    changed_days(connection, "early_outcomes", _HASHES, {"asked": repr(wanted)})
    if used:
        outcomes = " union all ".join(
            _OUTCOMES.format(name=one.name, value=scaled(one)) for one in used.values()
        )
        connection.execute(f"insert into results.early_outcomes {_UNITS.format(outcomes=outcomes)}")
    connection.execute("commit")
