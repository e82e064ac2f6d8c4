"""The exported list of who is in which arm, with the attributes that a reader needs to ask an SDK for the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairsplit.analysis.catalogue.conditions import attribute_names
from fairsplit.analysis.catalogue.events import ATTRIBUTE_COLUMNS
from fairsplit.assignment_exports.eligibility import inline_segments
from fairsplit.orchestration.landing.sql import identifier, literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    import duckdb
    import polars as pl

    from fairsplit.analysis.catalogue import Experiment
    from fairsplit.analysis.catalogue.conditions import Condition

#: Known of every assignment, whatever is asked.
_ALWAYS = ("platform", "device")
# Units outside the layer or the traffic have no variant and are not in a list. The probability is that of the
# variant for a unit that takes part, which is what weighting by its inverse needs.
_UNIT_LIST = """
    select
        a.unit_id,
        a.variant_id as variant,
        cast(json_merge_patch('{{}}', to_json({{{attributes}}})) as varchar) as attributes,
        w.weight as probability,
        'assigned' as reason
    from fct_assignments as a
    inner join catalog.phase_weights as w
        on a.experiment_id = w.experiment_id and a.phase = w.phase and a.variant_id = w.variant_id{exposures}
    where a.experiment_id = ? and a.in_traffic
    order by a.unit_id
"""
# What was known of a unit at the event that exposed it.
_EXPOSURES = """
    inner join fct_exposures as x on a.experiment_id = x.experiment_id and a.unit_id = x.unit_id
    left join (
        select * from landing.raw_events where event_day in (
            select exposure_day from fct_exposures where experiment_id = {experiment})
    ) as e on x.exposure_day = e.event_day and x.exposure_event_id = e.event_id"""


def assignment_list(
    connection: duckdb.DuckDBPyConnection, experiment: Experiment, segments: Mapping[str, Condition]
) -> pl.DataFrame:
    """The units of an experiment that a hash decides.

    Args:
        connection: On the warehouse; dbt's marts are built.
        experiment: The experiment.
        segments: Conditions of the named segments.

    Returns:
        Columns unit_id, variant, attributes (a JSON object, missing ones left out), probability and reason, by unit.
    """
    attributes = {name: f"a.{name}" for name in _ALWAYS}
    asked = _asked(experiment, segments)
    attributes |= {name: _at_exposure(name) for name in sorted(asked - attributes.keys())}
    listed = ", ".join(f"{literal(name)}: {value}" for name, value in attributes.items())
    exposures = _EXPOSURES.format(experiment=literal(experiment.id)) if asked - set(_ALWAYS) else ""
    query = _UNIT_LIST.format(attributes=listed, exposures=exposures)
    listed_units: pl.DataFrame = connection.sql(query, params=[experiment.id]).pl()
    return listed_units


def _asked(experiment: Experiment, segments: Mapping[str, Condition]) -> set[str]:
    """Attributes of the targeting and the segments, as an SDK's caller names them."""
    asked = {name.removeprefix("properties.") for name in experiment.segments}
    if experiment.targeting is not None:
        asked |= attribute_names(inline_segments(experiment.targeting, segments))
    return asked


def _at_exposure(name: str) -> str:
    """A column of the event, else the property of that name with its type."""
    if name in ATTRIBUTE_COLUMNS:
        return f"e.{identifier(name)}"
    return f"json_extract(e.properties, {literal('$.' + identifier(name))})"
