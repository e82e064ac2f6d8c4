"""Whether the custom parts that a file is analysed by keep their promises on the file's own units."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from fairsplit.analysis.aa.certification import certify
from fairsplit.analysis.parts.installed import is_custom

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fairsplit.analysis.catalogue.metrics import MetricDefinition

#: Random splits per metric, and the units that are split: enough to see a rate of 8 % where 5 % are promised.
SPLITS, MOST_UNITS = 500, 20_000


def certified_metrics(
    histograms: pl.DataFrame | None, metrics: Mapping[str, MetricDefinition], alpha: float
) -> Iterator[tuple[str, str | None]]:
    """Each metric that a custom part judges, with why the part may not decide on it; none where it may.

    Its units are those of the experiment that has most of them, whatever their arm: no split of them at random has an
    effect. Of many a sample in equal steps of their values is split.

    Args:
        histograms: Units by value, as `histogram_frame` has them.
        metrics: The file's metrics.
        alpha: The level that is promised.
    """
    for name, metric in metrics.items():
        if histograms is None or not is_custom(metric.test):
            continue
        its = histograms.filter((pl.col("metric") == name) & (pl.col("segment") == "all"))
        largest = its.group_by("experiment_id").agg(pl.col("units").sum()).sort("units", "experiment_id")
        counts = (
            its.filter(pl.col("experiment_id") == largest["experiment_id"][-1])
            .group_by("value")
            .agg(pl.col("units").sum())
            .sort("value")
        )
        values = np.repeat(counts["value"].cast(pl.Float64).to_numpy(), counts["units"].to_numpy())
        if values.size > MOST_UNITS:
            values = values[np.linspace(0, values.size - 1, MOST_UNITS).astype(np.intp)]
        done = certify(values / metric.scale_y, metric.test, runs=SPLITS, seed=0, alpha=alpha)
        yield name, done.refusal(alpha)
