"""How unit values are spread: quantiles per arm from value histograms, for metrics whose mean tells little."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from fairsplit.analysis.scorecards import format as fmt

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fairsplit.analysis.scorecards.inputs import ExperimentView, MetricView

Row = dict[str, Any]
QUANTILES = {"median": 0.5, "p90": 0.9, "p99": 0.99}
_KINDS = frozenset({"revenue", "duration", "percentile", "mean", "time_to_conversion"})
_KEY = ("experiment_id", "metric", "variant_id")


@dataclass(frozen=True, slots=True)
class Spread:
    """One metric's quantiles: per arm its name, the share of zeros, the quantiles and the largest value."""

    title: str
    lines: Sequence[tuple[str, Sequence[str]]]


def quantiles(histograms: pl.DataFrame) -> pl.DataFrame:
    """Quantiles of stored unit values.

    Args:
        histograms: `fct_value_histograms` of one cut-off; values are scaled integers.

    Returns:
        One row per experiment, metric and variant: units, zeros, one column per quantile (the smallest value
        that at least that share of the units does not exceed) and the largest value, all still scaled.
    """
    if histograms.is_empty():
        return pl.DataFrame()
    running = (
        histograms.filter(pl.col("segment") == "all", pl.col("units") > 0)
        .sort(*_KEY, "value")
        .with_columns(
            pl.col("units").cast(pl.Int64),
            below=pl.col("units").cast(pl.Int64).cum_sum().over(_KEY),
            all=pl.col("units").cast(pl.Int64).sum().over(_KEY),
        )
    )
    return running.group_by(_KEY, maintain_order=True).agg(
        pl.col("units").sum(),
        zeros=pl.col("units").filter(pl.col("value") == 0).sum(),
        largest=pl.col("value").max(),
        **{
            name: pl.col("value").filter(pl.col("below") >= share * pl.col("all")).first()
            for name, share in QUANTILES.items()
        },
    )


def build(experiment: ExperimentView, metrics: Mapping[str, MetricView], rows: Sequence[Row]) -> list[Spread]:
    """The spread of each metric that has one worth showing, in the experiment's order."""
    found: list[Spread] = []
    for use in experiment.metrics:
        view = metrics.get(use.metric)
        if view is None or view.kind not in _KINDS:
            continue
        own = {row["variant_id"]: row for row in rows if row["metric"] == use.metric}
        lines = [(arm.label, _line(own[arm.id], view)) for arm in experiment.arms if arm.id in own]
        same = next((other for other in found if other.lines == lines), None)
        if same:
            found[found.index(same)] = Spread(f"{same.title}; {view.label}", lines)
        elif lines:
            found.append(Spread(view.label, lines))
    return found


def _line(row: Row, view: MetricView) -> list[str]:
    divisor, unit = fmt.time_unit(view.unit, row["p90"] / view.scale)
    values = [row[name] / view.scale / divisor for name in (*QUANTILES, "largest")]
    return [
        fmt.percent(row["zeros"] / row["units"], half_width=0.01),
        *(fmt.amount(value, unit, view.kind) if value else "0" for value in values),
    ]
