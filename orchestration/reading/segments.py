"""How many units each named segment holds, counted in the events themselves.

A unit is one with at least one event in the last days up to the cut-off. Its attributes are the newest known value of
each: an event that does not carry an attribute leaves it as it was. What no event says stays unknown and is counted
as such, for no estimate can tell which way an SDK, which may be told more, would decide.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from analysis.catalogue.conditions import attribute_names
from analysis.catalogue.events import CONTEXT_COLUMNS
from analysis.errors import Problem
from assignment_exports.allocation import inline_segments
from assignment_exports.condition_sql import condition_sql, json_pointer
from orchestration.errors import OrchestrationError
from orchestration.ingest.sql import identifier, literal
from orchestration.outstanding import frontier
from orchestration.reading.results import require_known
from orchestration.reading.unit_values import joined_links, unit_id

if TYPE_CHECKING:
    from datetime import date

    import duckdb

    from analysis.catalogue import Catalogue
    from analysis.catalogue.conditions import Condition
    from analysis.catalogue.project import UnitType
    from orchestration.reading.results import Row


def segment_sizes(
    connection: duckdb.DuckDBPyConnection, catalogue: Catalogue, days: int, only: str | None = None
) -> list[Row]:
    """The size of each named segment, or of one.

    Args:
        connection: On a warehouse that has been built.
        catalogue: The definitions.
        days: A unit counts when it has an event in that many days up to the cut-off.
        only: The id of one segment; all if left out.

    Returns:
        One row a segment, sorted by id: ``segment``, ``name``, ``active``, ``unit``, ``first_day`` and ``cut_off``
        (both included), ``units``, of which ``inside``, ``outside`` and ``unknown``, ``share`` (inside over units;
        null without units), and ``never_seen``: the attributes that no event in these days carries.

    Raises:
        OrchestrationError: No day has been built, or the segment is unknown.
    """
    built = frontier(connection)
    if built is None:
        raise OrchestrationError(Problem("no day has been built yet", hint="run `fairsplit run` first"))
    if only is not None:
        require_known(only, catalogue.segments, "segment", "NAME")
    conditions = catalogue.conditions
    wanted = [segment for name, segment in catalogue.segments.items() if only in {None, name}]
    first = built - timedelta(days=days - 1)
    sizes: dict[str, Row] = {}
    for unit in sorted({segment.unit for segment in wanted}):
        asked = {
            segment.id: inline_segments(conditions[segment.id], conditions)
            for segment in wanted
            if segment.unit == unit
        }
        sizes |= _count(connection, asked, unit, first, built)
    return [
        {
            "segment": segment.id,
            "name": segment.name,
            "active": segment.active,
            "unit": segment.unit,
            "first_day": first,
            "cut_off": built,
            **sizes[segment.id],
        }
        for segment in wanted
    ]


def _count(
    connection: duckdb.DuckDBPyConnection,
    conditions: dict[str, Condition],
    unit: UnitType,
    first: date,
    last: date,
) -> dict[str, Row]:
    """Sizes of segments of one kind of unit, in one pass over the events."""
    names = sorted(set().union(*map(attribute_names, conditions.values())))
    newest = "".join(
        f", arg_max({value}, (e.occurred_at, e.event_id)) filter ({value} is not null) as a{place}"
        for place, value in enumerate(map(_value, names))
    )
    packed = ", ".join(f"{literal(name)}, a{place}" for place, name in enumerate(names))
    counts = [f"count(a{place})" for place in range(len(names))]
    for condition in conditions.values():
        verdict = condition_sql(condition)
        counts += [f"count(*) filter ({verdict})", f"count(*) filter (not {verdict})"]
    (units, *counted) = connection.execute(
        f"""with newest as (
                select {unit_id(unit)} as unit_id{newest}
                from stg_events as e{joined_links(unit)}
                where e.event_day between $first and $last and {unit_id(unit)} is not null
                group by 1
            ), latest as (select *, json_object({packed}) as attributes from newest)
            select {", ".join(["count(*)", *counts])} from latest""",
        {"first": first, "last": last},
    ).fetchall()[0]
    seen, verdicts = dict(zip(names, counted, strict=False)), iter(counted[len(names) :])
    return {
        name: {
            "units": units,
            "inside": inside,
            "outside": outside,
            "unknown": units - inside - outside,
            "share": inside / units if units else None,
            "never_seen": [one for one in sorted(attribute_names(condition)) if not seen[one]],
        }
        for (name, condition), inside, outside in zip(conditions.items(), verdicts, verdicts, strict=True)
    }


def _value(attribute: str) -> str:
    """An event's attribute as SQL: a column of the contract, else the property of that name; null where it has none."""
    if attribute in CONTEXT_COLUMNS:
        return f"e.{identifier(attribute)}"
    place = literal(json_pointer(attribute.removeprefix("properties.")))
    return f"nullif(json_extract(e.properties, {place}), 'null')"
