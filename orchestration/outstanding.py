"""Which days a run still has to build."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from orchestration.warehouse import has_table

if TYPE_CHECKING:
    from datetime import datetime

    import duckdb

ONE_DAY = timedelta(days=1)


def frontier(connection: duckdb.DuckDBPyConnection) -> date | None:
    """The last day that was built; none before the first run."""
    if not has_table(connection, "work", "state"):
        return None
    rows = connection.execute("select value from work.state where key = 'frontier'").fetchall()
    return date.fromisoformat(rows[0][0]) if rows else None


def newest_arrival(connection: duckdb.DuckDBPyConnection) -> datetime | None:
    """The newest recorded arrival of a readable file, naive UTC; none when nothing has landed."""
    arrived: datetime | None = connection.execute(
        "select max(arrived_at) from landing.manifest where status <> 'unreadable'"
    ).fetchall()[0][0]
    return arrived


def last_complete_day(connection: duckdb.DuckDBPyConnection) -> date | None:
    """The newest event day that ended before the newest recorded arrival; none when nothing has landed."""
    day: date | None = connection.execute(
        "select max(event_day) from landing.days where event_day + 1 <= ?", [newest_arrival(connection)]
    ).fetchall()[0][0]
    return day


def outstanding_days(connection: duckdb.DuckDBPyConnection, *, published: bool) -> tuple[date, date] | None:
    """The days to build, both included: the new complete ones, else the newest built one when something is owed.

    Late rows and changed definitions are worked off by any run, so the range then is the frontier's own day.

    Args:
        connection: On the warehouse; the catalogue's tables and the landing schema exist.
        published: Whether the newest publication shows the present state.
    """
    built, complete = frontier(connection), last_complete_day(connection)
    if complete is not None and (built is None or built < complete):
        first = _first_landed_day(connection) if built is None else built + ONE_DAY
        return min(first, complete), complete
    return None if built is None or published else (built, built)


def _first_landed_day(connection: duckdb.DuckDBPyConnection) -> date:
    """The project's first day: windows and covariates are counted from there."""
    rows = connection.execute("select value from catalog.settings where key = 'first_day'").fetchall()
    return date.fromisoformat(rows[0][0])
