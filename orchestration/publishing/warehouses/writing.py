"""Judged rows, written to another database by experiment and day: only what changed since the last time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl
import pyarrow as pa  # type: ignore[import-untyped]

from fairsplit.analysis.judgement.rows import ALLOCATIONS, COMPARISONS, DECISIONS
from fairsplit.orchestration.landing.sql import literal
from fairsplit.orchestration.publishing.warehouses.targets import qualified

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import date

    import duckdb

    from fairsplit.orchestration.publishing.warehouses.targets import Target

#: Table there → table of `results` here, and its columns.
_TABLES: Final[dict[str, tuple[str, Mapping[str, pl.DataType]]]] = {
    "fairsplit_results": ("comparisons", COMPARISONS),
    "fairsplit_decisions": ("decisions", DECISIONS),
    "fairsplit_allocations": ("allocations", ALLOCATIONS),
}
_WRITTEN: Final = "fairsplit_written"
#: Days of experiments that one statement takes away.
_DAYS_A_STATEMENT: Final = 200

Key = tuple[str, "date"]


@dataclass(frozen=True, slots=True)
class Written:
    """What was done to one table.

    Attributes:
        table: Its name there.
        rows: Rows written.
        replaced: Days of experiments that were there with other content, or are no longer.
        unchanged: Days of experiments that were there already.
    """

    table: str
    rows: int
    replaced: int
    unchanged: int


def write_results(source: duckdb.DuckDBPyConnection, there: Target, schema: str) -> list[Written]:
    """Bring results, decisions and allocations of every day up to date there.

    A day of an experiment is written as a whole where its content is another than the one noted in
    `fairsplit_written`. Rows of one day are read at a time. Where columns are other than they were, as after an
    upgrade, the table is made anew.

    Args:
        source: Reader on the warehouse.
        there: A transaction on the other database.
        schema: Of the tables there.

    Returns:
        What was done, by table.
    """
    return [_write(source, there, schema, table, name, columns) for table, (name, columns) in _TABLES.items()]


def _write(
    source: duckdb.DuckDBPyConnection,
    there: Target,
    schema: str,
    table: str,
    name: str,
    columns: Mapping[str, pl.DataType],
) -> Written:
    # Lists as JSON, which every database has as text.
    listed = ", ".join(
        f'to_json("{column}")::varchar as "{column}"' if isinstance(dtype, pl.List) else f'"{column}"'
        for column, dtype in columns.items()
    )
    now: dict[Key, str] = {
        (experiment, day): content
        for experiment, day, content in source.execute(
            f"""select experiment_id, cut_off, md5(string_agg(content, '' order by content)) from (
                  select experiment_id, cut_off, md5(to_json(t)::varchar) as content
                  from (select {listed} from results.{name}) t) group by all order by all"""
        ).fetchall()
    }
    before = _noted(there, schema, table, list(columns))
    stale = [key for key, content in before.items() if now.get(key) != content]
    for part in _parts(stale):
        days = " or ".join(f"(experiment_id = {literal(one)} and cut_off = '{day}')" for one, day in part)
        there.execute(f"delete from {qualified(schema, table)} where {days}")
        there.execute(
            f"delete from {qualified(schema, _WRITTEN)} where table_name = {literal(table)} and ({days})"
        )
    rows = 0
    missing = {key: content for key, content in now.items() if before.get(key) != content}
    for day in sorted({day for _, day in missing}):
        wanted = sorted(experiment for experiment, of in missing if of == day)
        query = f"select {listed} from results.{name} where cut_off = $day and list_contains($wanted, experiment_id)"
        found = source.sql(f"{query} order by all", params={"day": day, "wanted": wanted}).to_arrow_table()
        there.append(table, found)
        rows += found.num_rows
    if missing:
        there.append(_WRITTEN, _notes(table, missing))
    return Written(table, rows, len(stale), len(now) - len(missing))


def _noted(there: Target, schema: str, table: str, columns: list[str]) -> dict[Key, str]:
    """Content by experiment and day, as it was written last; nothing where the table is another or gone."""
    standing = there.columns(table)
    if not there.columns(_WRITTEN):
        there.append(_WRITTEN, _notes(table, {}))
    if standing and standing != columns:
        there.execute(f"drop table {qualified(schema, table)}")
    if standing != columns:
        there.execute(f"delete from {qualified(schema, _WRITTEN)} where table_name = {literal(table)}")
        return {}
    rows = there.execute(
        f"select experiment_id, cut_off, content from {qualified(schema, _WRITTEN)} where table_name = {literal(table)}"
    )
    # Where a database has no days, as SQLite, text of ISO 8601 stands for them.
    days = pl.Series([str(row[1]) for row in rows], dtype=pl.String).str.to_date()
    return {(row[0], day): row[2] for row, day in zip(rows, days, strict=True)}


def _notes(table: str, contents: Mapping[Key, str]) -> pa.Table:
    return pa.table(
        {
            "table_name": pa.array([table] * len(contents), pa.string()),
            "experiment_id": pa.array([experiment for experiment, _ in contents], pa.string()),
            "cut_off": pa.array([day for _, day in contents], pa.date32()),
            "content": pa.array(list(contents.values()), pa.string()),
        }
    )


def _parts(keys: Iterable[Key]) -> Iterator[list[Key]]:
    listed = list(keys)
    for start in range(0, len(listed), _DAYS_A_STATEMENT):
        yield listed[start : start + _DAYS_A_STATEMENT]
