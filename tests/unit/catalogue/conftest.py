from __future__ import annotations

from datetime import timedelta

import pytest

from fairsplit.analysis.catalogue import MetricDefinition


def make_metric(name: str, **changes) -> MetricDefinition:
    facts = {
        "name": name,
        "label": name,
        "description": "",
        "kind": "proportion",
        "unit": "share of units",
        "direction": "increase",
        "window_start": timedelta(0),
        "window_end": timedelta(days=7),
        "cuped": False,
        "winsorize": None,
        "percentile": None,
        "funnel": (),
        "test": "proportion",
        "numerator": name,
        "denominator": None,
        "scale_y": 1,
        "scale_d": 1,
        "definition_hash": "0" * 64,
    }
    return MetricDefinition(**{**facts, **changes})


@pytest.fixture(scope="session")
def metric_catalogue() -> dict[str, MetricDefinition]:
    names = ("checkout_conversion", "ctr", "error_rate", "revenue_per_user")
    return {name: make_metric(name) for name in names}
