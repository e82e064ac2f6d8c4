"""Attributes of events as SQL: columns of the contract, else properties."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairsplit.analysis.catalogue.events import CONTEXT_COLUMNS
from fairsplit.assignment_exports.dialects.duckdb import json_pointer
from fairsplit.orchestration.landing.sql import identifier, literal

if TYPE_CHECKING:
    from collections.abc import Iterable


def attribute_value(attribute: str) -> str:
    """The attribute of event `e`: a column, else the property of that name; null where it has none."""
    if attribute in CONTEXT_COLUMNS:
        return f"e.{identifier(attribute)}"
    place = literal(json_pointer(attribute.removeprefix("properties.")))
    return f"nullif(json_extract(e.properties, {place}), 'null')"


def packed_attributes(names: Iterable[str]) -> str:
    """The attributes of event `e` as one JSON object, as conditions in SQL take them."""
    pairs = (f"{literal(name)}, {attribute_value(name)}" for name in names)
    return f"json_object({', '.join(pairs)})"
