"""Pruning from its first write to its last; killed anywhere, it is taken up again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fairsplit.orchestration.home.intents import begin, begun, ended, in_hand
from fairsplit.orchestration.lifecycle.unit_lists import drop_list
from fairsplit.orchestration.publishing.exporting import publish_without
from fairsplit.orchestration.publishing.ledger import note_tables
from fairsplit.orchestration.warehouse.journals import keep
from fairsplit.orchestration.warehouse.opening import writer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    import duckdb

    from fairsplit.orchestration.project import Home

_COMMAND = "prune"


def prune(home: Home, found: Sequence[Mapping[str, Any]], now: datetime) -> None:
    """Drop the assignments of `prunable` experiments, keep their audit as sums, and log it; their lists go last.

    First the exports, then the warehouse in one transaction, then the lists. What is to be done is written down before
    and carried out by `finish_interrupted` where this was killed.

    Args:
        home: The home.
        found: What `prunable` told.
        now: The clock, naive UTC, for the log only.
    """
    begin(
        home,
        _COMMAND,
        {
            "found": [dict(row) | {"ended_at": row["ended_at"].isoformat()} for row in found],
            "now": now.isoformat(),
        },
    )
    finish_interrupted(home)


def finish_interrupted(home: Home) -> bool:
    """Carry out the pruning that was begun and not ended; whether there was one."""
    if begun(home, _COMMAND) is None:
        return False
    with in_hand(home, _COMMAND):
        facts = begun(home, _COMMAND)
        if facts is None:
            return False
        with writer(home.warehouse) as connection:
            publish_without(home, connection, [row["experiment_id"] for row in facts["found"]])
            _drop(connection, facts["found"], facts["now"])
            keep(connection, home.root)
        for row in facts["found"]:
            drop_list(home, row["experiment_id"])
        ended(home, _COMMAND)
    return True


def _drop(connection: duckdb.DuckDBPyConnection, found: Sequence[Mapping[str, Any]], now: str) -> None:
    """The warehouse's part, once: the log tells whether it was done before a kill."""
    connection.execute("begin")
    done = connection.execute(
        "select experiment_id from journal.pruned where pruned_at = ?", [now]
    ).fetchall()
    for row in found if not done else ():
        connection.execute(
            "insert into journal.pruned_audits by name from fct_assignment_audits where experiment_id = ?",
            [row["experiment_id"]],
        )
        connection.execute("delete from fct_assignments where experiment_id = ?", [row["experiment_id"]])
        connection.execute(
            "insert into journal.pruned values (?, ?, ?, ?)",
            [row["experiment_id"], row["ended_at"], now, row["rows"]],
        )
    note_tables(connection)
    connection.execute("commit")
