"""Baselines for planning as the warehouse has measured them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from fairsplit.analysis.catalogue.findings import did_you_mean
from fairsplit.analysis.errors import Problem
from fairsplit.analysis.planning.baseline import Baseline, measured
from fairsplit.orchestration.errors import OrchestrationError
from fairsplit.orchestration.warehouse.opening import has_table

if TYPE_CHECKING:
    import duckdb

    from fairsplit.analysis.catalogue.sizes import Size
    from fairsplit.orchestration.catalogue.loading import Definitions

_SECONDS_A_DAY = 86_400


def warehouse_baseline(
    connection: duckdb.DuckDBPyConnection,
    definitions: Definitions,
    metric: str,
    experiment: str | None = None,
    segment: tuple[str, str] = ("all", "all"),
) -> Baseline:
    """What the newest results say of a metric.

    Args:
        connection: On the warehouse.
        definitions: The catalogue and its metrics.
        metric: The metric's name.
        experiment: Where to take it from; the valid experiment with the most units if omitted.
        segment: Column and level of the units meant.

    Raises:
        OrchestrationError: The metric is unknown, or nothing usable has been measured.
    """
    known = definitions.metrics.get(metric)
    if known is None:
        raise OrchestrationError(
            Problem(
                "no such metric",
                where="--metric",
                value=metric,
                hint=did_you_mean(metric, definitions.metrics),
            )
        )
    if experiment is not None and experiment not in definitions.catalogue.experiments:
        raise OrchestrationError(
            Problem(
                "no such experiment",
                where="--experiment",
                value=experiment,
                hint=did_you_mean(experiment, definitions.catalogue.experiments),
            )
        )
    found = None
    if has_table(connection, "results", "comparisons"):
        comparisons = connection.sql(
            "from results.comparisons where metric = $metric order by all", params={"metric": metric}
        ).pl()
        failed = connection.sql(
            """select distinct experiment_id from results.validity where status = 'fail'
               and cut_off = (select max(cut_off) from results.validity)"""
        ).pl()
        found = measured(
            comparisons,
            connection.sql("from fct_daily_exposures order by all").pl(),
            metric,
            kind=known.kind,
            direction=known.direction,
            window_days=0.0
            if known.window_end is None
            else known.window_end.total_seconds() / _SECONDS_A_DAY,
            experiment=experiment,
            segment=segment,
            # An experiment that was asked for by name is used whatever its checks say.
            leave_out=() if experiment else failed.get_column("experiment_id").cast(pl.String).to_list(),
        )
    if found is None:
        where = f"{metric} in {experiment}" if experiment else metric
        raise OrchestrationError(
            Problem(
                "nothing has been measured to plan from",
                where=where,
                hint="give `--baseline` (and `--sd` for a mean) instead, or `fairsplit run` first",
            )
        )
    return found


def minimum_effect(
    definitions: Definitions, metric: str, experiment: str | None, control: float
) -> Size | None:
    """The smallest effect of interest that a definition declares for a metric: the experiment's, else the least.

    Args:
        definitions: The catalogue and its metrics.
        metric: The metric's name.
        experiment: Whose declaration counts; every experiment's if omitted.
        control: The metric's value now, by which shares and amounts compare.
    """
    declared = [
        use.minimum_effect
        for identity, item in definitions.catalogue.experiments.items()
        for _, use in item.metric_uses
        if use.metric == metric and use.minimum_effect is not None and experiment in {None, identity}
    ]
    return min(declared, key=lambda size: size.absolute or size.value * abs(control), default=None)
