"""`results.search`: what each search knows of its parameters, and what it would try next, as of now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairsplit.analysis.judgement.direction import sign_of
from fairsplit.analysis.judgement.searching import search_at, search_rows
from fairsplit.orchestration.lifecycle.acting import in_force
from fairsplit.orchestration.provenance.code_hash import code_hash
from fairsplit.orchestration.warehouse.opening import replace_tables
from fairsplit.orchestration.warehouse.outstanding import built_day

if TYPE_CHECKING:
    from datetime import date

    import duckdb
    import polars as pl

    from fairsplit.analysis.judgement.searching import Searched
    from fairsplit.orchestration.catalogue.loading import Definitions

_NEWEST = """from results.comparisons
    where cut_off <= $cut_off and segment = 'all' and analysis = 'default'
    qualify cut_off = max(cut_off) over (partition by experiment_id) order by all"""


def judge_searches(connection: duckdb.DuckDBPyConnection, definitions: Definitions) -> pl.DataFrame:
    """Judge every search, in place of what stood there.

    Args:
        connection: A writer; experiments are judged.
        definitions: The catalogue and its metrics.

    Returns:
        The rows of `results.search`.

    Raises:
        LookupError: No day has been built.
    """
    cut_off, comparisons = _known(connection)
    definitions = in_force(connection, definitions)
    metrics = {name: (one.unit, sign_of(one.direction)) for name, one in definitions.metrics.items()}
    rows = search_rows(definitions.catalogue.experiments, comparisons, metrics, cut_off, code_hash())
    replace_tables(connection, "results", {"search": rows})
    return rows


def search_of(
    connection: duckdb.DuckDBPyConnection, definitions: Definitions, experiment_id: str
) -> Searched:
    """Where the search of one batch stands.

    Args:
        connection: On the warehouse; experiments are judged.
        definitions: The catalogue and its metrics.
        experiment_id: A sound experiment that searches.

    Raises:
        LookupError: No day has been built.
    """
    cut_off, comparisons = _known(connection)
    experiments = in_force(connection, definitions).catalogue.experiments
    experiment = experiments[experiment_id]
    metric = definitions.metrics[experiment.metrics.primary[0].metric]
    return search_at(experiment, experiments, comparisons, sign_of(metric.direction), cut_off)


def _known(connection: duckdb.DuckDBPyConnection) -> tuple[date, pl.DataFrame]:
    cut_off = built_day(connection)
    rows: pl.DataFrame = connection.sql(_NEWEST, params={"cut_off": cut_off}).pl()
    return cut_off, rows
