"""How many units each named segment holds, counted in the events themselves, and its condition for other warehouses.

A unit is one with at least one event in the last days up to the cut-off. Its attributes are the newest known value of
each: an event that does not carry an attribute leaves it as it was. Whether it is in a behavioural segment is what
the last run found. Conditions on the time are asked at one instant. What no event says stays unknown and is counted as
such, for no estimate can tell which way an SDK, which may be told more, would decide.
"""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING

from fairsplit.analysis.catalogue.conditions import attribute_names
from fairsplit.analysis.catalogue.hashing import segment_hash
from fairsplit.analysis.errors import Problem
from fairsplit.assignment_exports.condition_sql import condition_sql
from fairsplit.assignment_exports.eligibility import inline_segments
from fairsplit.orchestration.errors import OrchestrationError
from fairsplit.orchestration.landing.sql import literal
from fairsplit.orchestration.publishing.subjects import TABLE, behavioural_segments
from fairsplit.orchestration.reading.results import require_known
from fairsplit.orchestration.reading.unit_values import joined_links, unit_id
from fairsplit.orchestration.warehouse.event_attributes import attribute_value
from fairsplit.orchestration.warehouse.opening import has_table
from fairsplit.orchestration.warehouse.outstanding import frontier

if TYPE_CHECKING:
    from datetime import date

    import duckdb

    from fairsplit.analysis.catalogue import Catalogue
    from fairsplit.analysis.catalogue.conditions import Condition
    from fairsplit.analysis.catalogue.project import UnitType
    from fairsplit.assignment_exports.dialects import Dialect
    from fairsplit.orchestration.reading.results import Row


def segment_sizes(
    connection: duckdb.DuckDBPyConnection,
    catalogue: Catalogue,
    days: int,
    only: str | None = None,
    at: datetime | None = None,
) -> list[Row]:
    """The size of each named segment, or of one.

    Args:
        connection: On a warehouse that has been built.
        catalogue: The definitions.
        days: A unit counts when it has an event in that many days up to the cut-off.
        only: The id of one segment; all if left out.
        at: The instant that conditions on the time are asked for, naive UTC; the end of the cut-off's day if left
            out, from which on an export serves them. It moves neither the days nor what is known of the units.

    Returns:
        One row a segment, sorted by id: ``segment``, ``name``, ``active``, ``unit``, ``first_day`` and ``cut_off``
        (both included), ``at``, ``units``, of which ``inside``, ``outside`` and ``unknown``, ``share`` (inside over
        units; null without units), and ``never_seen``: the attributes that no event in these days carries, or that
        no run has measured.

    Raises:
        OrchestrationError: No day has been built, or the segment is unknown.
    """
    built = frontier(connection)
    if built is None:
        raise OrchestrationError(Problem("no day has been built yet", hint="run `fairsplit run` first"))
    if only is not None:
        require_known(only, catalogue.segments, "segment", "NAME")
    conditions = catalogue.conditions
    hashes = {one.attribute: segment_hash(one) for one in behavioural_segments(catalogue)}
    wanted = [segment for name, segment in catalogue.segments.items() if only in {None, name}]
    first = built - timedelta(days=days - 1)
    at = at or datetime.combine(built + timedelta(days=1), time())
    sizes: dict[str, Row] = {}
    for unit in sorted({segment.unit for segment in wanted}):
        asked = {
            segment.id: inline_segments(segment.membership, conditions)
            for segment in wanted
            if segment.unit == unit
        }
        sizes |= _count(connection, asked, hashes, unit, (first, built), at)
    return [
        {
            "segment": segment.id,
            "name": segment.name,
            "active": segment.active,
            "unit": segment.unit,
            "first_day": first,
            "cut_off": built,
            "at": at,
            **sizes[segment.id],
        }
        for segment in wanted
    ]


def segment_expression(catalogue: Catalogue, name: str, dialect: Dialect) -> str:
    """A segment's condition as one boolean expression, with the segments that it names written out in place.

    Args:
        catalogue: The definitions.
        name: The segment's id.
        dialect: Whose SQL. The columns are ``attributes`` (JSON, for Spark a VARIANT) and, where the condition asks
            for the time, ``instant`` (a timestamp in UTC, for Spark a TIMESTAMP).

    Raises:
        OrchestrationError: The segment is unknown.
        ExportError: The dialect cannot say it.
    """
    require_known(name, catalogue.segments, "segment", "NAME")
    condition = inline_segments(catalogue.segments[name].membership, catalogue.conditions)
    return condition_sql(condition, "attributes", "instant", dialect)


def _count(
    connection: duckdb.DuckDBPyConnection,
    conditions: dict[str, Condition],
    hashes: dict[str, str],
    unit: UnitType,
    days: tuple[date, date],
    at: datetime,
) -> dict[str, Row]:
    """Sizes of segments of one kind of unit, in one pass over the events."""
    names = sorted(set().union(*map(attribute_names, conditions.values())))
    places = {name: f"a{place}" for place, name in enumerate(names)}
    newest = "".join(
        f", arg_max({value}, (e.occurred_at, e.event_id)) filter ({value} is not null) as {places[name]}"
        for name, value in ((name, attribute_value(name)) for name in names if name not in hashes)
    )
    behaving = [name for name in names if name in hashes]
    if behaving and not has_table(connection, "main", TABLE):
        raise OrchestrationError(
            Problem(
                "what units did has not been measured yet",
                value=", ".join(behaving),
                hint="run `fairsplit run`",
            )
        )
    did = "".join(f", s_{places[name]}.is_member as {places[name]}" for name in behaving)
    joins = "".join(
        f" left join {TABLE} as s_{places[name]} on newest.unit_id = s_{places[name]}.unit_id"
        f" and s_{places[name]}.definition_hash = {literal(hashes[name])}"
        for name in behaving
    )
    packed = ", ".join(f"{literal(name)}, {place}" for name, place in places.items())
    counts = [f"count({place})" for place in places.values()]
    for condition in conditions.values():
        verdict = condition_sql(condition, instant=f"timestamp '{at}'")
        counts += [f"count(*) filter ({verdict})", f"count(*) filter (not {verdict})"]
    (units, *counted) = connection.execute(
        f"""with newest as (
                select {unit_id(unit)} as unit_id{newest}
                from stg_events as e{joined_links(unit)}
                where e.event_day between $first and $last and {unit_id(unit)} is not null
                group by 1
            ), known as (select newest.*{did} from newest{joins}),
            latest as (select *, json_object({packed}) as attributes from known)
            select {", ".join(["count(*)", *counts])} from latest""",
        dict(zip(("first", "last"), days, strict=True)),
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
