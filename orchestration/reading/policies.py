"""What a contextual bandit has learned, as `fairsplit policy` and the library show it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fairsplit.orchestration.reading.results import read_results, require_known, rows_of
from fairsplit.orchestration.warehouse.opening import has_table

if TYPE_CHECKING:
    import duckdb

Row = dict[str, Any]
_AT = "experiment_id = ? and cut_off = ?"


def read_policy(connection: duckdb.DuckDBPyConnection, experiment: str) -> Row:
    """The newest policy of one contextual bandit.

    Args:
        connection: On the warehouse, read-only is enough.
        experiment: Its id.

    Returns:
        ``experiment_id``, ``cut_off``, ``gate`` (sentences of the failed checks), ``policy`` (a row of
        ``results.policies``), ``leaves`` and ``coefficients`` (rows of those tables, in order).

    Raises:
        OrchestrationError: Nothing was judged, or no contextual bandit has this id.
    """
    known: list[str] = []
    if has_table(connection, "results", "policies"):
        found = connection.execute(
            "select distinct experiment_id from results.policies order by 1"
        ).fetchall()
        known = [row[0] for row in found]
    require_known(experiment, known, "contextual bandit", "ID")
    day = connection.execute(
        "select max(cut_off) from results.policies where experiment_id = ?", [experiment]
    ).fetchall()[0][0]
    at = [experiment, day]
    return {
        "experiment_id": experiment,
        "cut_off": day,
        "gate": read_results(connection, experiment)[0]["gate"],
        "policy": rows_of(connection, f"from results.policies where {_AT}", at)[0],
        "leaves": rows_of(connection, f"from results.policy_leaves where {_AT} order by leaf", at),
        "coefficients": rows_of(
            connection, f"from results.policy_coefficients where {_AT} order by variant_id, term", at
        ),
    }
