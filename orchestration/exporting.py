"""A new version of the allocation configs and the tables beside them, from the warehouse and the catalogue."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING

from assignment_exports.allocation import LIVE, allocation_of
from assignment_exports.publishing import current_version, publish
from assignment_exports.release import build_release
from orchestration.outstanding import frontier

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb
    import polars as pl

    from assignment_exports.publishing import PublishedVersion
    from orchestration.loading import Definitions
    from orchestration.paths import Home

_ASSIGNMENTS = """
    select a.unit_id, a.variant_id as variant, a.platform, a.device, w.weight as probability, a.reason
    from fct_assignments as a
    left join catalog.phase_weights as w
        on a.experiment_id = w.experiment_id and a.phase = w.phase and a.variant_id = w.variant_id
    where a.experiment_id = ?
    order by a.unit_id
"""


def export_configs(
    home: Home, connection: duckdb.DuckDBPyConnection, definitions: Definitions
) -> PublishedVersion:
    """Publish what the catalogue says as of the frontier; experiments with a closed gate keep their last good config.

    Args:
        home: Prepared home.
        connection: On the warehouse; results are judged.
        definitions: The catalogue.

    Returns:
        The version in force; `changed` says whether it is new.

    Raises:
        ExportError: The version cannot be written.
        LookupError: No day has been built.
    """
    built = frontier(connection)
    if built is None:
        raise LookupError("no day has been built yet")
    catalogue = definitions.catalogue
    allocations = [
        allocation_of(experiment, catalogue.project, catalogue.conditions)
        for experiment in catalogue.experiments.values()
    ]
    held: dict[str, str] = dict(
        connection.execute(
            """select experiment_id, any_value(sentence order by "check") from results.validity
               where status = 'fail' and cut_off = ? group by experiment_id""",
            [built],
        ).fetchall()
    )
    known = set(catalogue.flags) | set(catalogue.segments) | set(catalogue.sources)
    held |= {name: str(problems[0]) for name, problems in catalogue.broken.items() if name not in known}
    frames: dict[str, pl.DataFrame] = {
        name: connection.sql(f"from results.{table} where cut_off = ? order by all", params=[built]).pl()
        for name, table in (("results", "comparisons"), ("decisions", "decisions"))
    }
    for allocation in allocations:
        if allocation.status in LIVE:
            listed = connection.sql(_ASSIGNMENTS, params=[allocation.experiment_id]).pl()
            frames[f"assignments/{allocation.experiment_id}"] = listed
    release = build_release(
        allocations,
        datetime.combine(built + timedelta(days=1), time()),
        held=held,
        previous=current_version(home.exports),
        frames=frames,
        prefix=catalogue.project.export_prefix,
    )
    snapshot = home.root / "snapshot.duckdb"
    _write_snapshot(connection, snapshot)
    return publish(home.exports, release.payloads, release.meta, {"fairsplit.duckdb": snapshot})


def _write_snapshot(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """A copy of the marts and results that analysts read while the writer holds the warehouse."""
    path.unlink(missing_ok=True)
    connection.execute(f"attach '{str(path).replace(chr(39), chr(39) * 2)}' as snapshot")
    try:
        tables = connection.execute(
            """select table_schema, table_name from information_schema.tables
               where table_catalog = current_catalog() and (
                   table_schema = 'results' or (table_schema = 'main' and table_name like 'fct\\_%' escape '\\'))
               order by all"""
        ).fetchall()
        for schema, table in tables:
            connection.execute(f'create schema if not exists snapshot."{schema}"')
            connection.execute(f'create table snapshot."{schema}"."{table}" as from "{schema}"."{table}"')
    finally:
        connection.execute("detach snapshot")
