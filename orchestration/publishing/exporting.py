"""A new version of the allocation configs and the tables beside them, from the warehouse and the catalogue."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Final

from fairsplit.analysis.errors import Problem
from fairsplit.analysis.judgement.acting import in_force as with_acts
from fairsplit.analysis.lifecycle.clock import launched
from fairsplit.assignment_exports.allocation import LIVE
from fairsplit.assignment_exports.catalogue import export_catalogue
from fairsplit.assignment_exports.publishing import current_version, list_versions, renew
from fairsplit.orchestration.errors import OrchestrationError
from fairsplit.orchestration.lifecycle.acting import (
    as_json,
    in_force,
    propose,
    ramps_of_flags,
    settle,
    with_ramps,
)
from fairsplit.orchestration.lifecycle.unit_lists import usable_lists
from fairsplit.orchestration.publishing.assignment_lists import assignment_list
from fairsplit.orchestration.publishing.site.write import VERSIONS
from fairsplit.orchestration.publishing.subjects import subject_attributes
from fairsplit.orchestration.warehouse.journals import keep
from fairsplit.orchestration.warehouse.outstanding import built_day

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from datetime import date
    from pathlib import Path

    import duckdb
    import polars as pl

    from fairsplit.assignment_exports.publishing import PublishedVersion
    from fairsplit.orchestration.catalogue.loading import Definitions
    from fairsplit.orchestration.project import Home

#: In a version of the exports, the pages that came into force with it.
SITE: Final = "site"


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a publication is of.

    Attributes:
        built: The newest day.
        definitions: Those in force.
        acts: What the newest decisions do by themselves: the version that carries it makes it history.
    """

    built: date
    definitions: Definitions
    acts: pl.DataFrame


def proposal(home: Home, connection: duckdb.DuckDBPyConnection, definitions: Definitions) -> Proposal:
    """What would be published now.

    Args:
        home: Prepared home.
        connection: On the warehouse; results are judged.
        definitions: The catalogue.

    Raises:
        LookupError: No day has been built.
    """
    built = built_day(connection)
    settle(connection, home.exports)
    definitions = in_force(connection, definitions)
    return Proposal(built, definitions, propose(connection, definitions, built))


def export_configs(
    home: Home, connection: duckdb.DuckDBPyConnection, proposed: Proposal, site: str | None = None
) -> PublishedVersion:
    """Publish what the catalogue says as of the frontier; experiments with a closed gate keep their last good config.

    Args:
        home: Prepared home.
        connection: On the warehouse; results are judged.
        proposed: From `proposal`, which nothing came after.
        site: Version of the site that comes into force with it; by default the pages stay.

    Returns:
        The version in force; `changed` says whether it is new.

    Raises:
        ExportError: The version cannot be written.
    """
    built = proposed.built
    catalogue = with_acts(proposed.definitions.catalogue, proposed.acts)
    catalogue = with_ramps(catalogue, ramps_of_flags(connection, catalogue))
    closed: dict[str, str] = dict(
        connection.execute(
            """select experiment_id, any_value(sentence order by "check") from results.validity
               where status = 'fail' and cut_off = ? group by experiment_id""",
            [built],
        ).fetchall()
    )
    frames: dict[str, pl.DataFrame] = {
        name: connection.sql(f"from results.{table} where cut_off = ? order by all", params=[built]).pl()
        for name, table in (("results", "comparisons"), ("decisions", "decisions"))
    }
    frames |= {
        f"assignments/{name}": assignment_list(connection, experiment, catalogue.conditions)
        for name, experiment in catalogue.experiments.items()
        if experiment.status in LIVE and experiment.assignment == "hash"
    }
    frames |= {
        f"assignments/{name}": listed
        for name, listed in usable_lists(home, catalogue).items()
        if catalogue.experiments[name].status in LIVE
    }
    with _snapshot(connection, home) as attachments:
        version = export_catalogue(
            home.exports,
            catalogue,
            datetime.combine(built + timedelta(days=1), time()),
            closed_gates=closed,
            frames=frames,
            subjects=subject_attributes(connection, catalogue),
            attachments=attachments,
            acts=as_json(proposed.acts),
            links=None if site is None else {SITE: f"../../{home.site.name}/{VERSIONS}/{site}"},
        )
    settle(connection, home.exports)
    keep(connection, home.root)
    return version


def export_first(home: Home, definitions: Definitions) -> PublishedVersion:
    """Publish what the catalogue says before any day is built: a config has to be served before events can come.

    Nothing was judged, so no gate is closed; phases that ended before today are left out.

    Args:
        home: Prepared home.
        definitions: The catalogue.

    Returns:
        The version in force.

    Raises:
        ExportError: The version cannot be written.
        OrchestrationError: The version in force is of built days, which the warehouse does not have: their gates would
            be forgotten.
    """
    current = current_version(home.exports)
    if current is not None and (current.path / "results.parquet").exists():
        rule = "the warehouse that the version in force was made from"
        raise OrchestrationError(
            Problem("no day has been built", home.warehouse.name, rule=rule, hint="run `fairsplit run` first")
        )
    catalogue = launched(definitions.catalogue)
    lists = {
        f"assignments/{name}": listed
        for name, listed in usable_lists(home, catalogue).items()
        if catalogue.experiments[name].status in LIVE
    }
    today = datetime.combine(datetime.now(UTC).date(), time())
    return export_catalogue(home.exports, catalogue, today, frames=lists)


def publish_without(
    home: Home, connection: duckdb.DuckDBPyConnection, experiments: Collection[str] = ()
) -> None:
    """Publish the current version again with a new snapshot, and remove all others: rolling back to them is over.

    For what must be gone for good. Nothing else of the version changes.

    Args:
        home: The home.
        connection: A writer.
        experiments: Ids whose assignments and lists are left out, whether or not the warehouse still has them.
    """
    with _snapshot(connection, home, experiments) as attachments:
        version = renew(home.exports, attachments, [f"assignments/{name}.parquet" for name in experiments])
    if version is not None:
        for name in list_versions(home.exports):
            if name != version.version:
                shutil.rmtree(home.exports / name)


@contextmanager
def _snapshot(
    connection: duckdb.DuckDBPyConnection, home: Home, pruned: Collection[str] = ()
) -> Iterator[dict[str, Path]]:
    """A copy of the marts and results that analysts read while the writer holds the warehouse, as an attachment.

    It is there until the exports have taken it: a second copy in the home would outlive erasure and pruning.
    """
    path = home.root / "snapshot.duckdb"
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
            rows = f'"{schema}"."{table}"'
            if table == "fct_assignments":
                rows = f"(from {rows} where not list_contains($pruned, experiment_id))"
            connection.execute(f'create schema if not exists snapshot."{schema}"')
            connection.execute(
                f'create table snapshot."{schema}"."{table}" as from {rows}',
                {"pruned": list(pruned)} if table == "fct_assignments" else None,
            )
        # Detaching would write it too, but says nothing of why it could not.
        connection.execute("checkpoint snapshot")
    finally:
        connection.execute("detach snapshot")
    try:
        yield {"fairsplit.duckdb": path}
    finally:
        path.unlink()
