"""What units did, as the subject attributes that an SDK's caller passes in: one line a unit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairsplit.analysis.catalogue.behaviour import TEXTUAL
from fairsplit.analysis.catalogue.hashing import segment_hash
from fairsplit.analysis.catalogue.segments import UNIT_COLUMN
from fairsplit.orchestration.landing.sql import identifier, literal
from fairsplit.orchestration.warehouse.opening import has_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb
    import polars as pl

    from fairsplit.analysis.catalogue import Catalogue, Segment

TABLE = "fct_subject_attributes"


def behavioural_segments(catalogue: Catalogue) -> list[Segment]:
    """The active segments of what units do, by id."""
    return [
        segment for segment in catalogue.segments.values() if segment.active and segment.behaviour is not None
    ]


def subject_attributes(
    connection: duckdb.DuckDBPyConnection, catalogue: Catalogue
) -> dict[str, pl.DataFrame]:
    """The exported attributes of every unit seen in the longest window, as of the newest cut-off.

    A segment that was declared or changed since the last run has nothing to tell yet: its attributes are null, which
    lets nobody in.

    Args:
        connection: On the warehouse.
        catalogue: The definitions.

    Returns:
        By kind of unit a frame sorted by ``unit_id``, with ``segment:<id>`` (boolean) for each behavioural segment
        and the attributes that its rules export (numbers or texts); empty without such segments.
    """
    segments = behavioural_segments(catalogue)
    if not segments or not has_table(connection, "main", TABLE):
        return {}
    frames: dict[str, pl.DataFrame] = {}
    for unit in sorted({segment.unit for segment in segments}):
        columns = [
            f"any_value({value}) filter (definition_hash = {literal(segment_hash(segment))}) as {identifier(name)}"
            for segment in segments
            if segment.unit == unit
            for name, value in _attributes(segment)
        ]
        query = f"""select unit_id as {UNIT_COLUMN}, {", ".join(columns)} from {TABLE}
                    where unit_type = ? group by unit_id order by unit_id"""
        frames[unit] = connection.sql(query, params=[unit]).pl()
    return frames


def _attributes(segment: Segment) -> Iterator[tuple[str, str]]:
    """Name and SQL of each attribute that a segment exports."""
    yield segment.attribute, "is_member"
    for position, rule in enumerate(segment.behaviour.rules if segment.behaviour else (), start=1):
        if rule.as_ is not None:
            yield rule.as_, f"measured[{position}].{'label' if rule.measure in TEXTUAL else 'amount'}"
