"""The journal of automatic acts: definitions in force are the catalogue's with every act of the journal done."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from analysis.judgement.acting import ACTS, new_acts
from analysis.judgement.acting import in_force as with_acts
from analysis.judgement.ramping import ramp_frame
from analysis.judgement.rows import conform
from orchestration.warehouse import has_table, insert_frame

if TYPE_CHECKING:
    from datetime import date

    import duckdb

    from orchestration.loading import Definitions

_SQL_TYPES = {pl.String(): "varchar", pl.Date(): "date", pl.Float64(): "double"}


def acts_done(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """The journal so far: rows of `ACTS`, oldest first."""
    if not has_table(connection, "results", "acts"):
        return pl.DataFrame(schema=dict(ACTS))
    return conform(connection.sql("from results.acts").pl(), ACTS, ("cut_off", "experiment_id", "act"))


def in_force(connection: duckdb.DuckDBPyConnection, definitions: Definitions) -> Definitions:
    """The definitions with everything that decisions did by themselves."""
    return replace(definitions, catalogue=with_acts(definitions.catalogue, acts_done(connection)))


def act_on(connection: duckdb.DuckDBPyConnection, definitions: Definitions, cut_off: date) -> pl.DataFrame:
    """Append to the journal what the newest decisions do by themselves.

    Args:
        connection: A writer; the cut-off is judged.
        definitions: Those in force.
        cut_off: The newest day.

    Returns:
        The acts appended.
    """
    columns = ", ".join(f"{name} {_SQL_TYPES[kind]}" for name, kind in ACTS.items())
    connection.execute(f"create table if not exists results.acts ({columns})")
    # A journal that was begun before bandits acted.
    connection.execute("alter table results.acts add column if not exists weights varchar")
    said, allocations = (
        connection.sql(f"from results.{table} where cut_off = ?", params=[cut_off]).pl()
        for table in ("decisions", "allocations")
    )
    acts = new_acts(said, definitions.catalogue, ramp_frame(definitions.catalogue, cut_off), allocations)
    if not acts.is_empty():
        insert_frame(connection, "results.acts", acts)
    return acts
