from __future__ import annotations

import numpy as np
import polars as pl
from tests.unit.scorecards import site_world

from fairsplit.analysis.scorecards import ExperimentMetric, spread


def test_quantiles_are_those_of_the_unit_values():
    rng = np.random.default_rng(3)
    values = np.where(rng.random(5001) < 0.7, 0, np.exp(rng.normal(3, 1, 5001)) * 1_000_000).astype(np.int64)
    counted, units = np.unique(values, return_counts=True)
    frame = pl.DataFrame({"value": counted, "units": units}).with_columns(
        experiment_id=pl.lit("one"),
        metric=pl.lit("revenue_per_user"),
        variant_id=pl.lit("red"),
        segment=pl.lit("all"),
        segment_level=pl.lit("all"),
    )
    row = spread.quantiles(frame.sample(fraction=1.0, shuffle=True, seed=1)).to_dicts()[0]
    for name, share in {"median": 0.5, "p90": 0.9, "p99": 0.99}.items():
        assert row[name] == np.quantile(values, share, method="inverted_cdf")
    assert (row["units"], row["zeros"], row["largest"]) == (5001, (values == 0).sum(), values.max())


def test_rates_have_no_spread_to_show():
    view = site_world.experiment("one", metrics=[ExperimentMetric("checkout_conversion", "primary")])
    rows = [{"metric": "checkout_conversion", "variant_id": "red"}]
    assert spread.build(view, site_world.METRICS, rows) == []
