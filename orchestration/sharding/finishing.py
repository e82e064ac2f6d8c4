"""From what all shards told to one ordinary home: their rows taken in, and the models built that read them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairsplit.orchestration.landing.sql import identifier, literal
from fairsplit.orchestration.warehouse.dbt import ask_for
from fairsplit.orchestration.warehouse.opening import writer

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date
    from pathlib import Path

    import duckdb
    import pyarrow as pa  # type: ignore[import-untyped]

    from fairsplit.orchestration.project import Home
    from fairsplit.orchestration.sharding.models import ShardedModels


def prepare(home: Home, to: date, dbt: Callable[..., None]) -> date:
    """Make the home's views over its events, and decide how far to build.

    Args:
        home: Landed, with its catalogue's tables.
        to: The day that is asked for.
        dbt: Is given the home and the arguments of a dbt command.

    Returns:
        The last day, included: that one, or a later one that was built before.
    """
    with writer(home.warehouse) as connection:
        ask_for(connection, to)
    dbt(home, ("run", "--select", "base_events", "stg_events"))
    with writer(home.warehouse) as connection:
        rows = connection.execute(
            "select cast(value as date) from work.state where key = 'target'"
        ).fetchall()
    day: date = rows[0][0]
    return day


def finish(home: Home, combined: Path, models: ShardedModels, dbt: Callable[..., None]) -> pa.Table | None:
    """Take in what all shards told, and build what reads it.

    Args:
        home: As `prepare` left it.
        combined: The file that `combine` made of all shards.
        models: What becomes of each model's rows.
        dbt: Is given the home and the arguments of a dbt command.

    Returns:
        Where some sums do not fit 128 bits: the magnitudes by which that is told. Shards that did not know them have to
        be built again.
    """
    with writer(home.warehouse) as connection:
        connection.execute(f"attach {literal(str(combined))} as told (read_only)")
        connection.execute("begin")
        # From here on nothing is built, until dbt's last step has said otherwise.
        connection.execute("delete from work.state where key = 'frontier'")
        connection.execute("insert or replace into work.state values ('brought', '')")
        for model in (*models.brought, *models.kept):
            _drop(connection, model)
        for model in models.brought:
            connection.execute(f"create table {identifier(model)} as from told.{identifier(model)}")
        connection.execute("insert into fct_assignment_audits by name from journal.pruned_audits")
        connection.execute("commit")
        connection.execute("detach told")
    dbt(home, ("run", "--select", *models.everywhere, *models.finished))
    with writer(home.warehouse) as connection:
        told = "from int_magnitudes where exists (from int_out_of_range)"
        magnitudes = connection.sql(told).to_arrow_table()
    return magnitudes if magnitudes.num_rows else None


def _drop(connection: duckdb.DuckDBPyConnection, model: str) -> None:
    kinds = connection.execute(
        """select table_type from information_schema.tables
           where table_schema = 'main' and table_name = ? and table_catalog = current_database()""",
        [model],
    ).fetchall()
    for (kind,) in kinds:
        connection.execute(f"drop {'view' if kind == 'VIEW' else 'table'} {identifier(model)}")
