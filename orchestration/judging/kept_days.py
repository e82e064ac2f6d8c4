"""Tables kept from run to run by day: a day is asked anew only when what its rows are made of has changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    import duckdb

#: What decides which events a day has: CTEs of the lake's files and the excluded copies by day, and the filters.
EVENT_INPUTS: Final = """
    lake as (
        select event_day as day, sum(hash(l)::hugeint) as h from landing.lake_files as l group by all
    ),
    excluded as (
        select event_day as day, sum(hash(x)::hugeint) as h from landing.excluded as x group by all
    ),
    filters as (
        select sum(hash(f)::hugeint) as h from catalog.filters as f
    )
"""


def changed_days(
    connection: duckdb.DuckDBPyConnection,
    kept: str,
    hashes: str,
    parameters: Mapping[str, Any],
    day: str = "exposure_day",
) -> None:
    """Find the days of a kept table whose inputs have changed, and drop their rows; inside a transaction.

    Leaves the temporary table ``<kept>_changes`` (day) for the caller to fill `results.<kept>` from, and
    remembers the new hashes, so that the caller must fill in the same transaction.

    Args:
        connection: A writer; `results.<kept>` exists.
        kept: Name of the table.
        hashes: SQL with a row (day, input_hash) per day.
        parameters: Of that SQL.
        day: The column of `results.<kept>` that holds the day.
    """
    connection.execute(f"create table if not exists results.{kept}_days (day date, input_hash varchar)")
    connection.execute(f"create or replace temp table {kept}_now as {hashes}", dict(parameters))
    connection.execute(
        f"""create or replace temp table {kept}_changes as
            select day from {kept}_now as now
            full join results.{kept}_days as before using (day)
            where now.input_hash is distinct from before.input_hash"""
    )
    changed = f"in (from {kept}_changes)"
    connection.execute(f"delete from results.{kept} where {day} {changed}")
    connection.execute(f"delete from results.{kept}_days where day {changed}")
    connection.execute(f"insert into results.{kept}_days from {kept}_now where day {changed}")
