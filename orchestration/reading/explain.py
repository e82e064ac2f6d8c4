"""Walking a published number back: definitions, window, losses, exact sums, formula, and the query that agrees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from fairsplit.analysis.catalogue.fields import duration_text
from fairsplit.analysis.catalogue.metric_rules import SHARES
from fairsplit.analysis.judgement.strata import stratum_frame
from fairsplit.orchestration.lifecycle.acting import in_force
from fairsplit.orchestration.reading.behind import behind
from fairsplit.orchestration.reading.behind import published as published_beside
from fairsplit.orchestration.reading.formula import arm_steps, comparison_steps, method_in_words
from fairsplit.orchestration.reading.phases import phase_steps, phase_sums
from fairsplit.orchestration.reading.results import allocations_of, rows_of
from fairsplit.orchestration.reading.strata import stratum_steps, stratum_sums
from fairsplit.orchestration.reading.unit_values import SUMS, sums_query
from fairsplit.orchestration.warehouse.measure_sql import KEEP_TRIES_WHOLE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import duckdb

    from fairsplit.analysis.catalogue import Experiment, MetricDefinition
    from fairsplit.analysis.catalogue.metrics import Measure
    from fairsplit.orchestration.catalogue.loading import Definitions
    from fairsplit.orchestration.reading.formula import Step

Row = dict[str, Any]


def explain(
    connection: duckdb.DuckDBPyConnection,
    definitions: Definitions,
    experiment_id: str,
    metric_name: str,
) -> Row:
    """Everything behind the newest total of one metric in one experiment.

    Args:
        connection: On the warehouse, read-only is enough.
        definitions: The catalogue, its metrics and their measures.
        experiment_id: The experiment.
        metric_name: One of its metrics.

    Returns:
        ``definition``, ``window``, ``losses`` (rows of step, variant, units, events), ``arms`` (the exact sums and the
        row that is published, by variant), ``phases`` (of a bandit: share and exact sums of each arm and phase),
        ``allocations`` (of a bandit's reward: rows of ``results.allocations``), ``steps`` (calculation by variant),
        ``query`` (unit values), ``sums_query``, ``disagreements`` (variants and sums where the query differs from the
        pipeline; empty when they agree).

    Raises:
        OrchestrationError: The experiment or the metric names nothing that was judged.
    """
    found = behind(connection, definitions, experiment_id, metric_name)
    experiment, metric, statistics = found.experiment, found.metric, found.statistics
    published = published_beside(connection, found)
    first, query, analysis = found.any_arm, found.query, found.analysis
    connection.execute(KEEP_TRIES_WHOLE)
    cut_off = first["cut_off"]
    phases = phase_sums(connection, experiment_id, metric_name, cut_off) if experiment.bandit else []
    by_strata: dict[str, list[Step]] = {}
    if any(row["stratified_by"] == "phase" for row in published.values()):
        excluded = analysis == "crossovers_excluded"
        sums = stratum_sums(connection, experiment_id, metric_name, cut_off, excluded=excluded)
        by_strata = _steps_by_strata(
            in_force(connection, definitions), experiment, metric, sums, statistics, published
        )
    return {
        "experiment_id": experiment_id,
        "metric": metric_name,
        "cut_off": first["cut_off"],
        "analysis": analysis,
        "definition": _definition(metric, definitions.measures, found.role)
        | {"definition_hash": published[experiment.control.id]["definition_hash"]},
        "window": _window(metric, found.window, first),
        "losses": _losses(connection, experiment_id, statistics),
        "arms": [
            {"variant_id": variant.id, "sums": statistics[variant.id], "published": published[variant.id]}
            for variant in experiment.variants
        ],
        "phases": phases,
        "allocations": allocations_of(connection, experiment_id, cut_off, metric_name),
        "steps": _steps(experiment, metric, statistics, published, phases, by_strata),
        "query": query,
        "sums_query": sums_query(query),
        "disagreements": []
        if first["sum_y"] is None
        else _disagreements(connection, sums_query(query), statistics),
    }


def _definition(metric: MetricDefinition, measures: Mapping[str, Measure], role: str) -> Row:
    return {
        "label": metric.label,
        "description": metric.description,
        "kind": metric.kind,
        "unit": metric.unit,
        "direction": metric.direction,
        "role": role,
        "measures": [
            {"name": one.name, "agg": one.agg, "expr": one.expr, "scale": one.scale}
            for one in (measures[name] for name in metric.measures)
        ],
    }


def _window(metric: MetricDefinition, windows: Row, statistics: Row) -> Row:
    return {
        "start": duration_text(metric.window_start),
        "end": duration_text(metric.window_end) if metric.window_end else "open",
        "covariate_days": windows["cuped_days"],
        "covariate_status": windows["covariate_status"],
        # A home that an earlier version built has no caps of covariates until its next run.
        **{name: statistics.get(name) for name in ("cap_low", "cap_high", "cap_x_low", "cap_x_high")},
        "caps_over": None if metric.winsorize is None else metric.winsorize.over,
    }


def _losses(
    connection: duckdb.DuckDBPyConnection, experiment: str, statistics: Mapping[str, Row]
) -> list[Row]:
    """Units by the step at which they were lost; the last step is the window that has not closed."""
    cut_off = next(iter(statistics.values()))["cut_off"]
    rows = rows_of(
        connection,
        """select step, variant_id, sum(units)::bigint as units, sum(events)::bigint as events
            from fct_losses where experiment_id = $e and event_day <= $d group by all having sum(units) > 0
            order by all""",
        {"e": experiment, "d": cut_off},
    )
    return rows + [
        {"step": "window still open", "variant_id": variant, "units": row["n_open"], "events": None}
        for variant, row in sorted(statistics.items())
    ]


def _steps(
    experiment: Experiment,
    metric: MetricDefinition,
    statistics: Mapping[str, Row],
    published: Mapping[str, Row],
    phases: Sequence[Row],
    by_strata: Mapping[str, list[Step]],
) -> dict[str, list[Row]]:
    control = experiment.control.id
    result = {}
    for variant in experiment.variants:
        row = published[variant.id]
        steps = arm_steps(statistics[variant.id], row, metric.kind)
        if phases:
            # The plain mean is not the published one.
            steps = [step for step in steps if step.name == "total"]
            steps += phase_steps(phases, statistics[variant.id]["scale_y"], variant.id, control, row)
        elif by_strata and (variant.id == control or variant.id in by_strata):
            # The plain mean need not be the published one; the control's stands with its treatment's.
            steps = [step for step in steps if step.name == "total"] + by_strata.get(variant.id, [])
        elif row["stratified_by"] == "design" or "design" in {
            one["stratified_by"] for one in published.values()
        }:
            steps = [step for step in steps if step.name == "total"]
        elif variant.id != control:
            steps += comparison_steps(statistics[control], statistics[variant.id], row)
        result[variant.id] = [_step_row(step) for step in steps]
        words = method_in_words(row["method"])
        if row["stratified_by"] == "design":
            words = "inside the strata of the list, neighbours together, each by its share of the units"
        if words:
            result[variant.id].append(
                {"name": "method", "formula": words, "value": None, "published": None, "agrees": True}
            )
    return result


def _steps_by_strata(
    definitions: Definitions,
    experiment: Experiment,
    metric: MetricDefinition,
    sums: Sequence[Row],
    statistics: Mapping[str, Row],
    published: Mapping[str, Row],
) -> dict[str, list[Step]]:
    """Steps of every arm whose lift is stratified."""
    known = stratum_frame(definitions.catalogue).filter(pl.col("experiment_id") == experiment.id).drop_nulls()
    result = {}
    for (arm,), part in known.group_by("variant_id", maintain_order=True):
        name = str(arm)
        if published[name]["stratified_by"]:
            strata = dict(part.select("phase", "stratum").iter_rows())
            arms = (experiment.control.id, name)
            row = published[name]
            result[name] = stratum_steps(
                sums, strata, statistics[name], arms, row, is_share=metric.kind in SHARES
            )
    return result


def _step_row(step: Step) -> Row:
    return {
        "name": step.name,
        "formula": step.formula,
        "value": step.value,
        "published": step.published,
        "agrees": step.agrees,
    }


def _disagreements(
    connection: duckdb.DuckDBPyConnection, query: str, statistics: Mapping[str, Row]
) -> list[Row]:
    """Where the query's sums are not the pipeline's; sums that the metric does not have are left out."""
    found = {row["variant_id"]: row for row in rows_of(connection, query)}
    result = []
    for variant, expected in sorted(statistics.items()):
        got = found.get(variant, {"n": 0})
        for name in ("n", *SUMS):
            want = expected[name]
            if want is not None and (got.get(name) or 0) != want:
                result.append({"variant_id": variant, "sum": name, "pipeline": want, "query": got.get(name)})
    return result
