"""The metrics that experiments use, and their measures, as the tables that the dbt macros read (schema `catalog`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import timedelta

    from fairsplit.analysis.catalogue.experiment import Experiment
    from fairsplit.analysis.catalogue.measures import Measure
    from fairsplit.analysis.catalogue.metric_definition import MetricDefinition

METRIC_SCHEMAS: Final[dict[str, dict[str, Any]]] = {
    "measures": {"measure": pl.String, "agg": pl.String, "expr": pl.String, "scale": pl.Int64},
    "metrics": {
        "metric": pl.String,
        "kind": pl.String,
        "window_start": pl.Int64,
        "window_end": pl.Int64,
        "cuped": pl.Boolean,
        "cap_lower": pl.Float64,
        "cap_upper": pl.Float64,
        "cap_nonzero": pl.Boolean,
        "histogram": pl.Boolean,
        "by_event": pl.Boolean,
        "measure_y": pl.String,
        "measure_d": pl.String,
        "steps": pl.List(pl.String),
        "measure_before": pl.String,
        "before_within": pl.Int64,
        "scale_y": pl.Int64,
        "scale_d": pl.Int64,
        "definition_hash": pl.String,
    },
}


def compile_metrics(
    experiments: Iterable[Experiment],
    metrics: Mapping[str, MetricDefinition],
    measures: Mapping[str, Measure],
) -> dict[str, pl.DataFrame]:
    """The tables `metrics` and `measures` of the contract, sorted by name.

    Args:
        experiments: Whose metrics are computed; what nobody names is not.
        metrics: The sound metrics by name, every metric of the experiments among them.
        measures: Every measure that those need.

    Returns:
        Table name to frame. Windows are microseconds after the exposure, half-open; an open one has no end. A metric
        with `measure_before` is a conversion: its events count that come within `before_within` microseconds (any
        time if null) after one of that measure, and `measure_d`, if any, counts those.
    """
    names = sorted({use.metric for experiment in experiments for _, use in experiment.metric_uses})
    used = [metrics[name] for name in names]
    needed = sorted({measure for metric in used for measure in metric.measures})
    rows = {
        "measures": [
            {
                "measure": name,
                "agg": measures[name].agg,
                "expr": measures[name].expr,
                "scale": measures[name].scale,
            }
            for name in needed
        ],
        "metrics": [_row(metric) for metric in used],
    }
    return {name: pl.DataFrame(rows[name], schema=schema) for name, schema in METRIC_SCHEMAS.items()}


def _row(metric: MetricDefinition) -> dict[str, Any]:
    caps, conversion = metric.winsorize, metric.conversion
    divided = metric.denominator is not None or metric.kind == "time_to_conversion"
    return {
        "metric": metric.name,
        "kind": metric.kind,
        "window_start": _microseconds(metric.window_start),
        "window_end": _microseconds(metric.window_end),
        "cuped": metric.cuped,
        "cap_lower": None if caps is None else caps.lower,
        "cap_upper": None if caps is None else caps.upper,
        "cap_nonzero": None if caps is None else caps.over == "nonzero",
        "histogram": metric.histogram,
        "by_event": metric.by_event,
        "measure_y": metric.numerator,
        "measure_d": metric.denominator,
        "steps": list(metric.funnel),
        "measure_before": None if conversion is None else conversion.base,
        "before_within": None if conversion is None else _microseconds(conversion.within),
        "scale_y": metric.scale_y,
        "scale_d": metric.scale_d if divided else None,
        "definition_hash": metric.definition_hash,
    }


def _microseconds(duration: timedelta | None) -> int | None:
    return None if duration is None else round(duration.total_seconds()) * 1_000_000
