"""What lies behind the newest figures of one metric: its rows of statistics, its window, and the units that count."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fairsplit.orchestration.reading.results import judged_experiments, require_known, rows_of
from fairsplit.orchestration.reading.unit_values import Asked, caps_of, unit_values_query
from fairsplit.orchestration.warehouse.measure_sql import KEEP_TRIES_WHOLE

if TYPE_CHECKING:
    from collections.abc import Mapping

    import duckdb
    import polars as pl

    from fairsplit.analysis.catalogue import Experiment, MetricDefinition
    from fairsplit.orchestration.catalogue.loading import Definitions

Row = dict[str, Any]
_NEWEST = """experiment_id = $e and metric = $m and segment = 'all' and analysis = $a
    and cut_off = (select max(cut_off) from fct_sufficient_statistics where experiment_id = $e and metric = $m)"""


@dataclass(frozen=True, slots=True)
class Behind:
    """The newest figures of one metric in one experiment, and what they come from.

    Attributes:
        experiment: The definition.
        metric: The definition.
        role: primary, secondary or guardrail.
        analysis: Which analysis decides: with or without units seen in two arms.
        statistics: Rows of ``fct_sufficient_statistics`` over all units, by variant.
        window: The row of ``int_metric_windows``.
        query: SELECT of the unit values, as the stored integers.
    """

    experiment: Experiment
    metric: MetricDefinition
    role: str
    analysis: str
    statistics: Mapping[str, Row]
    window: Row
    query: str

    @property
    def any_arm(self) -> Row:
        """One of the rows, for what they have in common: cut-off, caps, scales."""
        return next(iter(self.statistics.values()))


def behind(
    connection: duckdb.DuckDBPyConnection, definitions: Definitions, experiment_id: str, metric_name: str
) -> Behind:
    """What lies behind the newest figures.

    Args:
        connection: On the warehouse, read-only is enough.
        definitions: The catalogue, its metrics and their measures.
        experiment_id: The experiment.
        metric_name: One of its metrics.

    Raises:
        OrchestrationError: The experiment or the metric names nothing that was judged.
    """
    known = definitions.catalogue.experiments
    judged = [name for name in judged_experiments(connection) if name in known]
    require_known(experiment_id, judged, "experiment", "EXPERIMENT")
    experiment = known[experiment_id]
    roles = {use.metric: role for role, use in experiment.metric_uses}
    require_known(metric_name, roles, "metric", "METRIC")
    analysis = "crossovers_excluded" if experiment.crossovers == "exclude" else "default"
    key = {"e": experiment_id, "m": metric_name}
    rows = rows_of(connection, f"from fct_sufficient_statistics where {_NEWEST}", key | {"a": analysis})
    statistics = {row["variant_id"]: row for row in rows}
    windows = rows_of(connection, "from int_metric_windows where experiment_id = $e and metric = $m", key)
    metric, first = definitions.metrics[metric_name], rows[0]
    asked = Asked(
        experiment_id,
        experiment.unit,
        first["cut_off"],
        windows[0]["cuped_days"],
        experiment.crossovers == "exclude",
        caps_of(first),
        caps_of(first, "cap_x"),
    )
    query = unit_values_query(asked, metric, definitions.measures)
    return Behind(experiment, metric, roles[metric_name], analysis, statistics, windows[0], query)


def published(connection: duckdb.DuckDBPyConnection, found: Behind) -> dict[str, Row]:
    """The rows of ``results.comparisons`` that stand beside the statistics, by variant."""
    key = {"e": found.experiment.id, "m": found.metric.name, "a": found.analysis}
    rows = rows_of(connection, f"from results.comparisons where {_NEWEST}", key)
    return {row["variant_id"]: row for row in rows}


def unit_values(connection: duckdb.DuckDBPyConnection, found: Behind) -> pl.DataFrame:
    """Every unit that counts in the newest figures, zeros included, in the metric's own measures.

    Returns:
        ``experiment_id``, ``metric``, ``cut_off``, ``variant_id``, ``unit_id``, ``value``, ``denominator`` (of ratios),
        ``covariate`` and ``covariate_denominator`` (before exposure, where CUPED is on), sorted by unit.
    """
    connection.execute(KEEP_TRIES_WHOLE)
    metric = found.metric
    kept = {
        "value": f"y / {metric.scale_y}::double",
        "denominator": f"d / {metric.scale_d}::double",
        "covariate": f"x / {metric.scale_y}::double",
        "covariate_denominator": f"w / {metric.scale_d}::double",
    }
    listed = ", ".join(f"{sql} as {name}" for name, sql in kept.items())
    frame: pl.DataFrame = connection.sql(
        f"""select $e as experiment_id, $m as metric, $d::date as cut_off, variant_id, unit_id, {listed}
            from ({found.query}) order by unit_id""",
        params={"e": found.experiment.id, "m": metric.name, "d": found.any_arm["cut_off"]},
    ).pl()
    return frame
