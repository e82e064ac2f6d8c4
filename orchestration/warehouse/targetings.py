"""The targetings as SQL, for the audit of units that were exposed though their targeting leaves them out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from fairsplit.analysis.catalogue.conditions import Condition, attribute_names
from fairsplit.assignment_exports.condition_sql import condition_sql
from fairsplit.assignment_exports.eligibility import inline_segments
from fairsplit.orchestration.warehouse.event_attributes import packed_attributes

if TYPE_CHECKING:
    from fairsplit.analysis.catalogue import Catalogue

_SCHEMA = {"experiment_id": pl.String, "attributes": pl.String, "verdict": pl.String}


def targeting_table(catalogue: Catalogue) -> pl.DataFrame:
    """The table `catalog.targetings`: one row per experiment with a targeting.

    Returns:
        experiment_id; `attributes`, SQL of what an event `e` carries of them, as one JSON object; and `verdict`, SQL
        over `attributes` and `instant`: whether the targeting lets the unit in, null where the event does not tell.
    """
    rows = []
    for experiment in catalogue.experiments.values():
        if experiment.targeting is not None:
            condition = _of_what_is_there(inline_segments(experiment.targeting, catalogue.conditions))
            attributes = packed_attributes(sorted(attribute_names(condition)))
            rows.append((experiment.id, attributes, condition_sql(condition, "attributes", "instant")))
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")


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
