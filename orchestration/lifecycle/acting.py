"""The journal of automatic acts: definitions in force are the catalogue's with every act of the journal done."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import polars as pl

from fairsplit.analysis.catalogue import compile_tables
from fairsplit.analysis.catalogue.compiled_metrics import compile_metrics
from fairsplit.analysis.judgement.acting import ACTS, new_acts
from fairsplit.analysis.judgement.acting import in_force as with_acts
from fairsplit.analysis.judgement.flag_ramps import ramp_state
from fairsplit.analysis.judgement.ramping import ramp_frame
from fairsplit.analysis.judgement.rows import conform
from fairsplit.analysis.lifecycle.clock import launched
from fairsplit.assignment_exports.publishing import readable_version
from fairsplit.orchestration.lifecycle.unit_lists import usable_lists
from fairsplit.orchestration.warehouse.opening import has_table, insert_frame, replace_tables
from fairsplit.orchestration.warehouse.outstanding import newest_arrival, note_first_day
from fairsplit.orchestration.warehouse.targetings import targeting_table

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date
    from pathlib import Path

    import duckdb

    from fairsplit.analysis.catalogue import Catalogue
    from fairsplit.analysis.judgement.flag_ramps import RampState
    from fairsplit.orchestration.catalogue.loading import Definitions
    from fairsplit.orchestration.project import Home

_ORDER = ("cut_off", "experiment_id", "act")
_SQL_TYPES = {pl.String(): "varchar", pl.Date(): "date", pl.Float64(): "double"}


def acts_done(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """The journal so far: rows of `ACTS`, oldest first."""
    if not has_table(connection, "results", "acts"):
        return pl.DataFrame(schema=dict(ACTS))
    return conform(connection.sql("from results.acts").pl(), ACTS, _ORDER)


def acts_with(connection: duckdb.DuckDBPyConnection, proposed: pl.DataFrame) -> pl.DataFrame:
    """The journal as it will be once an export carries what is proposed, but for the names of the exports."""
    return conform(pl.concat([acts_done(connection), conform(proposed, ACTS, _ORDER)]), ACTS, _ORDER)


def in_force(connection: duckdb.DuckDBPyConnection, definitions: Definitions) -> Definitions:
    """The definitions with everything that the clock and decisions did by themselves."""
    return replace(definitions, catalogue=with_acts(launched(definitions.catalogue), acts_done(connection)))


def ramps_of_flags(connection: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> dict[str, RampState]:
    """Where the ramp of each flag that has one stands at the newest cut-off."""
    if not has_table(connection, "results", "decisions"):
        return {}
    rows = connection.execute("select experiment_id, cut_off, action from results.decisions").fetchall()
    newest = max((day for _, day, _ in rows), default=None)
    actions: dict[str, dict[date, str]] = {}
    for name, day, action in rows:
        actions.setdefault(name, {})[day] = action
    states = {
        name: ramp_state(flag, actions.get(flag.experiment or "", {}), newest)
        for name, flag in catalogue.flags.items()
        if newest is not None
    }
    return {name: state for name, state in states.items() if state is not None}


def with_ramps(catalogue: Catalogue, states: Mapping[str, RampState]) -> Catalogue:
    """The definitions with the rollout that each ramp has come to."""
    flags = {
        name: flag.model_copy(update={"rollout": states[name].rollout, "ramp": None})
        if name in states
        else flag
        for name, flag in catalogue.flags.items()
    }
    return replace(catalogue, flags=flags)


def write_catalogue(connection: duckdb.DuckDBPyConnection, home: Home, definitions: Definitions) -> None:
    """The definitions in force as the tables that SQL joins, an act that a killed run left half done settled first.

    Args:
        connection: A writer.
        home: Prepared home.
        definitions: The user's.
    """
    settle(connection, home.exports)
    catalogue = in_force(connection, definitions).catalogue
    tables = compile_tables(catalogue, usable_lists(home, catalogue))
    metrics = compile_metrics(catalogue.experiments.values(), definitions.metrics, definitions.measures)
    replace_tables(connection, "catalog", {**tables, **metrics, "targetings": targeting_table(catalogue)})
    note_first_day(connection, catalogue.project.first_day)


def propose(connection: duckdb.DuckDBPyConnection, definitions: Definitions, cut_off: date) -> pl.DataFrame:
    """Write down what the newest decisions do by themselves: it is done once an export carries it (`settle`).

    Args:
        connection: A writer; the cut-off is judged.
        definitions: Those in force.
        cut_off: The newest day.

    Returns:
        Rows of `ACTS`.
    """
    said, allocations = (
        connection.sql(f"from results.{table} where cut_off = ?", params=[cut_off]).pl()
        for table in ("decisions", "allocations")
    )
    ramps = ramp_frame(definitions.catalogue, cut_off)
    acts = new_acts(said, definitions.catalogue, ramps, allocations, newest_arrival(connection))
    replace_tables(connection, "work", {"proposed_acts": acts})
    return acts


def settle(connection: duckdb.DuckDBPyConnection, exports: Path) -> None:
    """Take what is proposed into the journal where the version in force carries it, and forget it elsewhere.

    Wherever a run was killed, an act is then both served and remembered, or neither: what was forgotten is decided
    anew from what is known by then.

    Args:
        connection: A writer.
        exports: The exports folder.
    """
    if not has_table(connection, "work", "proposed_acts"):
        return
    proposed = connection.sql("from work.proposed_acts").pl()
    version = readable_version(exports)
    connection.execute("begin")
    if version is not None and version.manifest.get("acts") == as_json(proposed):
        columns = ", ".join(f"{name} {_SQL_TYPES[kind]}" for name, kind in ACTS.items())
        connection.execute(f"create table if not exists results.acts ({columns})")
        # A journal that was begun before bandits acted, before acts named their exports, or before leaves.
        for name in ("weights", "version", "leaves"):
            connection.execute(f"alter table results.acts add column if not exists {name} varchar")
        insert_frame(connection, "results.acts", proposed.with_columns(version=pl.lit(version.version)))
    connection.execute("drop table work.proposed_acts")
    connection.execute("commit")


def as_json(acts: pl.DataFrame) -> list[dict[str, Any]]:
    """Acts as the manifest of the exports lists them."""
    return acts.drop("version").with_columns(pl.col("cut_off").cast(pl.String)).to_dicts()
