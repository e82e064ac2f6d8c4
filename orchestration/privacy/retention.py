"""Retention: assignments of experiments that ended long ago are dropped; every aggregate stays as it is."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from fairsplit.orchestration.lifecycle.unit_lists import units_listed
from fairsplit.orchestration.warehouse.opening import has_table
from fairsplit.orchestration.warehouse.outstanding import frontier

if TYPE_CHECKING:
    import duckdb

    from fairsplit.orchestration.catalogue.loading import Definitions
    from fairsplit.orchestration.project import Home


def prunable(
    connection: duckdb.DuckDBPyConnection, home: Home, definitions: Definitions
) -> list[dict[str, Any]]:
    """Experiments whose assignments are past their retention at the last built day, by id.

    Args:
        connection: On the warehouse.
        home: Holds the stored lists.
        definitions: The catalogue, for the project's retention and the experiments' ends.

    Returns:
        ``experiment_id``, ``ended_at``, ``rows`` of the warehouse and ``listed``, the units of a stored list, of each
        that still has either.

    Raises:
        OrchestrationError: A stored list cannot be read.
    """
    built = frontier(connection)
    if built is None or not has_table(connection, "main", "fct_assignment_audits"):
        return []
    keep = definitions.catalogue.project.retention.assignments
    limit = datetime.combine(built + timedelta(days=1), time()) - keep
    ended = {
        item.id: item.end
        for item in sorted(definitions.catalogue.experiments.values(), key=attrgetter("id"))
        if item.end is not None and item.end <= limit
    }
    counts: dict[str, int] = dict(
        connection.execute(
            """select experiment_id, count(*) from fct_assignments
               where list_contains($ids, experiment_id) group by experiment_id""",
            {"ids": list(ended)},
        ).fetchall()
    )
    found = [
        {
            "experiment_id": name,
            "ended_at": end,
            "rows": counts.get(name, 0),
            "listed": units_listed(home, name),
        }
        for name, end in ended.items()
    ]
    return [row for row in found if row["rows"] or row["listed"]]
