"""`results.interactions` and `results.interaction_effects`: what the pairs of experiments say of each other now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from fairsplit.analysis.judgement.definitions import use_frame, variant_frame
from fairsplit.analysis.judgement.interactions import interaction_rows
from fairsplit.orchestration.lifecycle.acting import in_force
from fairsplit.orchestration.provenance.code_hash import code_hash
from fairsplit.orchestration.warehouse.opening import replace_tables
from fairsplit.orchestration.warehouse.outstanding import built_day

if TYPE_CHECKING:
    import duckdb

    from fairsplit.orchestration.catalogue.loading import Definitions

_FACTS: Final = (
    # A metric whose sums are beyond the range has no cells from that day on, so it has no figures at all.
    "fct_pair_cells anti join int_out_of_range using (experiment_id, metric)",
    "fct_overlaps",
    "fct_daily_exposures",
)


def judge_interactions(connection: duckdb.DuckDBPyConnection, definitions: Definitions) -> pl.DataFrame:
    """Judge every pair of experiments that share units, as of the newest built day, in place of what stood there.

    Args:
        connection: A writer; dbt's marts are built.
        definitions: The catalogue and its metrics.

    Returns:
        The rows of `results.interactions`.

    Raises:
        LookupError: No day has been built.
    """
    cut_off = built_day(connection)
    definitions = in_force(connection, definitions)
    metrics = definitions.metrics.values()
    scales = pl.DataFrame(
        [(metric.name, metric.scale_y, metric.scale_d) for metric in metrics],
        schema={"metric": pl.String, "scale_y": pl.Int64, "scale_d": pl.Int64},
        orient="row",
    )
    cells, overlaps, daily_exposures = (connection.sql(f"from {fact} order by all").pl() for fact in _FACTS)
    rows, effects = interaction_rows(
        cells,
        overlaps,
        daily_exposures,
        variant_frame(definitions.catalogue),
        use_frame(definitions.catalogue, definitions.metrics).join(scales, on="metric"),
        cut_off,
        code_hash(),
    )
    replace_tables(connection, "results", {"interactions": rows, "interaction_effects": effects})
    return rows
