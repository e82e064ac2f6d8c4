"""`results.programme` and `results.programme_experiments`: how all experiments together do, as of the newest day."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Final

import polars as pl

from fairsplit.analysis.judgement.arms import timing, with_early_end
from fairsplit.analysis.judgement.definitions import experiment_frame, use_frame
from fairsplit.analysis.judgement.programme import Declared, programme_rows
from fairsplit.analysis.lifecycle.clock import failed_experiments, status_told
from fairsplit.orchestration.lifecycle.acting import in_force
from fairsplit.orchestration.provenance.code_hash import code_hash
from fairsplit.orchestration.warehouse.opening import replace_tables
from fairsplit.orchestration.warehouse.outstanding import built_day

if TYPE_CHECKING:
    from datetime import date

    import duckdb

    from fairsplit.analysis.catalogue import Experiment
    from fairsplit.orchestration.catalogue.loading import Definitions

_INSTANT: Final = timedelta(microseconds=1)
# Segments and secondary metrics take no part, and are most of the rows.
_COMPARISONS: Final = """from results.comparisons
    where segment = 'all' and role in ('primary', 'guardrail')
    order by experiment_id, cut_off, metric, analysis, variant_id"""
_FACTS: Final = (
    _COMPARISONS,
    "from results.decisions order by cut_off, experiment_id",
    "from results.validity",
    "from fct_daily_exposures where segment = 'all' order by experiment_id, exposure_day, phase, variant_id",
)


def judge_programme(connection: duckdb.DuckDBPyConnection, definitions: Definitions) -> pl.DataFrame:
    """Judge the programme as of the newest built day, in place of what stood there.

    Args:
        connection: A writer; results are judged.
        definitions: The catalogue and its metrics.

    Returns:
        The rows of `results.programme`.

    Raises:
        LookupError: No day has been built.
    """
    cut_off = built_day(connection)
    definitions = in_force(connection, definitions)
    comparisons, decisions, validity, exposures = (connection.sql(fact).pl() for fact in _FACTS)
    catalogue = definitions.catalogue
    read = read_days(definitions, comparisons, cut_off)
    failed = failed_experiments(decisions.iter_rows(named=True), catalogue.project.failed_after)
    at = datetime.combine(cut_off + timedelta(days=1), time())
    declared = [
        _declared(item, status_told(item, at, failed), read.get(item.id))
        for item in catalogue.experiments.values()
    ]
    figures, experiments = programme_rows(
        declared, comparisons, decisions, validity, exposures, cut_off, code_hash()
    )
    replace_tables(connection, "results", {"programme": figures, "programme_experiments": experiments})
    return figures


def read_days(definitions: Definitions, comparisons: pl.DataFrame, cut_off: date) -> dict[str, date]:
    """When the plans that conclude once were read; plans that are still open or never end are left out."""
    catalogue = definitions.catalogue
    timed = timing(experiment_frame(catalogue), use_frame(catalogue, definitions.metrics), cut_off)
    read = with_early_end(timed, comparisons).filter(
        "at_horizon", ~pl.col("plan_method").is_in(("always_valid", "sprt"))
    )
    return dict(zip(read["experiment_id"], read["used_cut_off"], strict=True))


def _declared(item: Experiment, status: str, read_on: date | None) -> Declared:
    end = item.end
    if end is None and item.plan.max_duration is not None:
        end = item.start + item.plan.max_duration
    return Declared(
        id=item.id,
        owner=item.owner,
        area=next(iter(item.tags), ""),
        type=item.type,
        status=status,
        started_on=item.start.date(),
        # An end at midnight leaves the day before as the last one.
        ends_on=None if end is None else (end - _INSTANT).date(),
        metric=item.metrics.primary[0].metric if item.metrics.primary else "",
        analysis="crossovers_excluded" if item.crossovers == "exclude" else "default",
        read_on=read_on,
        shipped=item.shipped or "",
        control=item.control.id,
        first_weights=item.history[0].weights,
        last_weights=item.history[-1].weights,
    )
