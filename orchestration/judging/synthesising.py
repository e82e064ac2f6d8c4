"""`results.syntheses` and `results.synthesis_studies`: effects of several experiments combined, as of now."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from fairsplit.analysis.judgement.synthesising import synthesis_rows
from fairsplit.orchestration.lifecycle.acting import in_force
from fairsplit.orchestration.provenance.code_hash import code_hash
from fairsplit.orchestration.warehouse.opening import replace_tables
from fairsplit.orchestration.warehouse.outstanding import built_day

if TYPE_CHECKING:
    import duckdb

    from fairsplit.orchestration.catalogue.loading import Definitions

_NEWEST = """from results.{table} where cut_off <= $cut_off
    qualify cut_off = max(cut_off) over (partition by experiment_id) order by all"""


def judge_syntheses(connection: duckdb.DuckDBPyConnection, definitions: Definitions) -> pl.DataFrame:
    """Combine the effects of every synthesis, in place of what stood there.

    Args:
        connection: A writer; experiments are judged.
        definitions: The catalogue and its metrics.

    Returns:
        The rows of `results.syntheses`.

    Raises:
        LookupError: No day has been built.
    """
    cut_off = built_day(connection)
    definitions = in_force(connection, definitions)
    units = pl.DataFrame(
        [(metric.name, metric.unit, metric.direction) for metric in definitions.metrics.values()],
        schema={"metric": pl.String, "unit": pl.String, "direction": pl.String},
        orient="row",
    )
    comparisons, decisions = (
        connection.sql(_NEWEST.format(table=table), params={"cut_off": cut_off}).pl()
        for table in ("comparisons", "decisions")
    )
    rows, studies = synthesis_rows(definitions.catalogue, comparisons, decisions, units, cut_off, code_hash())
    replace_tables(connection, "results", {"syntheses": rows, "synthesis_studies": studies})
    return rows
