"""Units that were exposed though the targeting leaves them out, kept from run to run by exposure day."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairsplit.analysis.catalogue.conditions import Condition, attribute_names
from fairsplit.assignment_exports.condition_sql import condition_sql
from fairsplit.assignment_exports.eligibility import inline_segments
from fairsplit.orchestration.judging.kept_days import EVENT_INPUTS, changed_days
from fairsplit.orchestration.landing.sql import literal
from fairsplit.orchestration.provenance.code_hash import code_hash
from fairsplit.orchestration.warehouse.event_attributes import packed_attributes

if TYPE_CHECKING:
    import duckdb

    from fairsplit.orchestration.catalogue.loading import Definitions

# What the exposure event does not carry stays unknown, and such a unit is not asked about: an SDK may be told more.
_UNITS = """
    with asked as (
        select f.experiment_id, f.variant_id, f.exposure_day, f.exposed_at as instant, {attributes} as attributes
        from fct_exposures as f
        inner join stg_events as e on f.exposure_day = e.event_day and f.exposure_event_id = e.event_id
        where f.experiment_id in ({experiments})
            and f.exposure_day in (select day from targeting_audits_changes)
            and e.event_day in (select day from targeting_audits_changes)
    ),
    told as (
        select experiment_id, variant_id, exposure_day, case experiment_id {verdicts} end as is_eligible from asked
    )
    select experiment_id, variant_id, exposure_day, count(*) as units, count(*) filter (not is_eligible) as ineligible
    from told where is_eligible is not null group by all
"""
_HASHES = f"""
    with {EVENT_INPUTS},
    exposures as (
        select exposure_day as day,
            sum(hash((experiment_id, variant_id, exposed_at, exposure_event_id))::hugeint) as h
        from fct_exposures group by all
    )
    select day, concat_ws('|', exposures.h, lake.h, excluded.h, filters.h, $asked) as input_hash
    from exposures cross join filters left join lake using (day) left join excluded using (day)
"""


def keep_targeting_audits(connection: duckdb.DuckDBPyConnection, definitions: Definitions) -> None:
    """Bring `results.targeting_audits` up to date with exposures and events, in one transaction.

    Rows: experiment_id, variant_id, exposure_day, `units` whose exposure event tells whether the targeting lets them
    in, and how many of these it does not: `ineligible`.

    Args:
        connection: A writer without an open transaction; dbt's marts are built, schema `results` exists.
        definitions: The catalogue.
    """
    catalogue = definitions.catalogue
    conditions = {
        experiment.id: _of_what_is_there(inline_segments(experiment.targeting, catalogue.conditions))
        for experiment in catalogue.experiments.values()
        if experiment.targeting is not None
    }
    verdicts = {
        name: condition_sql(condition, "attributes", "instant") for name, condition in conditions.items()
    }
    connection.execute("begin")
    connection.execute(
        """create table if not exists results.targeting_audits
           (experiment_id varchar, variant_id varchar, exposure_day date, units bigint, ineligible bigint)"""
    )
    asked = repr([code_hash(), *sorted(verdicts.items())])
    changed_days(connection, "targeting_audits", _HASHES, {"asked": asked})
    if verdicts:
        names = set().union(*map(attribute_names, conditions.values()))
        rows = _UNITS.format(
            attributes=packed_attributes(sorted(names)),
            experiments=", ".join(map(literal, verdicts)),
            verdicts=" ".join(f"when {literal(name)} then {sql}" for name, sql in verdicts.items()),
        )
        connection.execute(f"insert into results.targeting_audits {rows}")
    connection.execute("commit")


def _of_what_is_there(condition: Condition) -> Condition:
    """Tests for absence are answered by a present attribute alone: a log may lack what the SDK was told."""
    if condition.kind == "not":
        return condition.model_copy(update={"not_": _of_what_is_there(condition.parts[0])})
    if condition.kind in {"all", "any"} and condition.within is None:
        parts = tuple(map(_of_what_is_there, condition.parts))
        return condition.model_copy(update={condition.kind: parts})
    if condition.kind != "test" or condition.operator != "is_null":
        return condition
    is_there = Condition(attribute=condition.attribute, matches="")
    return Condition.model_validate({"not": is_there}) if condition.operand else is_there
