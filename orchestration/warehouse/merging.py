"""Small row groups of the warehouse are merged once a week.

DuckDB would merge them at any checkpoint of any process, and rewrite a table from the first group that is not full
on: often all history of the tables that a day appends to, for a day's rows. Left alone for ever, a small home would
keep a block per day and column.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

APART = timedelta(days=7)
#: DuckDB's own default; connections of this project set none.
_TASKS = 100


def merge_row_groups(connection: duckdb.DuckDBPyConnection, day: date) -> bool:
    """Merge the row groups of all tables where that was last done a week before, by the days that are built.

    Args:
        connection: The only one on the warehouse, outside of a transaction; `work.state` is there.
        day: The last day that the run at hand is to build.

    Returns:
        Whether they were merged.
    """
    rows = connection.execute("select value from work.state where key = 'merged_on'").fetchall()
    if rows and day - date.fromisoformat(rows[0][0]) < APART:
        return False
    connection.execute("insert or replace into work.state values ('merged_on', ?)", [day.isoformat()])
    connection.execute(f"set max_vacuum_tasks = {_TASKS}")
    connection.execute("checkpoint")
    connection.execute("set max_vacuum_tasks = 0")
    return True
