"""Which days a run still has to build."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from fairsplit.orchestration.warehouse.opening import has_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import duckdb

    from fairsplit.orchestration.landing.scan import Landed

ONE_DAY = timedelta(days=1)
#: A longer range is built in pieces of this many days: each is kept, so that a run that breaks repeats one piece.
PIECE_DAYS = 31


def frontier(connection: duckdb.DuckDBPyConnection) -> date | None:
    """The last day that was built; none before the first run."""
    if not has_table(connection, "work", "state"):
        return None
    rows = connection.execute("select value from work.state where key = 'frontier'").fetchall()
    return date.fromisoformat(rows[0][0]) if rows else None


def built_day(connection: duckdb.DuckDBPyConnection) -> date:
    """The last day that was built, for what is made of built days.

    Raises:
        LookupError: No day has been built.
    """
    built = frontier(connection)
    if built is None:
        raise LookupError("no day has been built yet")
    return built


def newest_arrival(connection: duckdb.DuckDBPyConnection) -> datetime | None:
    """The newest recorded arrival of a readable file, naive UTC; none when nothing has landed."""
    arrived: datetime | None = connection.execute(
        "select max(arrived_at) from landing.manifest where status in ('taken', 'same_content')"
    ).fetchall()[0][0]
    return arrived


def last_complete_day(connection: duckdb.DuckDBPyConnection) -> date | None:
    """The newest event day that ended before the newest recorded arrival; none when nothing has landed.

    A finished archive is complete up to the last day that it declares, quiet days and open windows included.
    """
    arrived = newest_arrival(connection)
    day: date | None = connection.execute(
        "select max(event_day) from landing.days where event_day + 1 <= ?", [arrived]
    ).fetchall()[0][0]
    declared = _declared_day(connection, "last_day")
    is_over = declared is not None and arrived is not None and declared + ONE_DAY <= arrived.date()
    return declared if day is not None and is_over else day


def outstanding_days(connection: duckdb.DuckDBPyConnection, *, published: bool) -> tuple[date, date] | None:
    """The days to build, both included: the new complete ones, else the newest built one when something is owed.

    Late rows and changed definitions are worked off by any run, so the range then is the frontier's own day.

    Args:
        connection: On the warehouse; the catalogue's tables and the landing schema exist.
        published: Whether the newest publication shows the present state.
    """
    state = Built(frontier(connection), last_complete_day(connection), first_day(connection), published)
    return days_to_ask(state, (), datetime.max)  # noqa: DTZ901


def pieces(days: tuple[date, date]) -> Iterator[tuple[date, date]]:
    """The range as consecutive ranges of at most `PIECE_DAYS` days, both ends included."""
    first, last = days
    while first <= last:
        end = min(last, first + (PIECE_DAYS - 1) * ONE_DAY)
        yield first, end
        first = end + ONE_DAY


@dataclass(frozen=True, slots=True)
class Built:
    """How far a home is.

    Attributes:
        to: The last day built; none before the first run.
        complete: The last day that is complete as far as the landed files tell; none before the first landing.
        first: The first day, of the project or of its events: windows and covariates are counted from there. None
            before anything has landed, where none is declared.
        published: Whether the newest publication shows the present state.
    """

    to: date | None
    complete: date | None
    first: date | None
    published: bool


def days_to_ask(built: Built, waiting: Sequence[Landed], now: datetime) -> tuple[date, date] | None:
    """The days that a run which lands what waits has to build; none of them is unfinished at `now`.

    Args:
        built: How far the home is.
        waiting: Files that the run will take first: their arrival tells which days will be complete.
        now: Naive UTC.
    """
    arrivals = [file.modified_at.date() - ONE_DAY for file in waiting if file.fault is None]
    ends = [day for day in (built.complete, *arrivals) if day is not None]
    last = min(max(ends), now.date() - ONE_DAY) if ends else None
    if last is not None and (built.to is None or built.to < last):
        first = (built.first or last) if built.to is None else built.to + ONE_DAY
        return min(first, last), last
    if built.to is None or built.to >= now.date() or (built.published and not waiting):
        return None
    return built.to, built.to


def first_day(connection: duckdb.DuckDBPyConnection) -> date | None:
    """The first day, as the catalogue's tables have it; none before anything has landed where none is declared."""
    return _declared_day(connection, "first_day")


def _declared_day(connection: duckdb.DuckDBPyConnection, key: str) -> date | None:
    """A day of the catalogue's tables, which a migrated or repaired home has only after its next run."""
    if not has_table(connection, "catalog", "settings"):
        return None
    rows = connection.execute("select value from catalog.settings where key = ?", [key]).fetchall()
    return date.fromisoformat(rows[0][0]) if rows else None


def note_first_day(connection: duckdb.DuckDBPyConnection, declared: date | None) -> None:
    """Where the project declares no first day, that of the first event counts, which the next landing may change.

    Args:
        connection: A writer; the catalogue's tables are written.
        declared: By the project.
    """
    if declared is not None or not has_table(connection, "landing", "days"):
        return
    connection.execute("begin")
    connection.execute("delete from catalog.settings where key = 'first_day'")
    connection.execute(
        """insert into catalog.settings by name
           select 'first_day' as key, event_day::varchar as value from landing.days where rows > 0
           order by event_day limit 1"""
    )
    connection.execute("commit")
