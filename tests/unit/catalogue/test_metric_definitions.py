from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from fairsplit.analysis.catalogue import json_schemas, load_metrics
from fairsplit.analysis.catalogue.metrics import read_semantic_layer

ROOT = Path(__file__).resolve().parents[3]

SEMANTIC = """\
semantic_models:
  - name: events
    measures:
      - {name: purchases, agg: count, expr: "event_name = 'purchase'"}
      - name: money
        agg: sum
        expr: value
        config: {meta: {fairsplit: {scale: 1000000}}}
metrics:
  - name: revenue
    label: Revenue
    description: Net revenue per unit.
    type: simple
    type_params: {measure: money}
    config: {meta: {fairsplit: {kind: revenue, unit: USD, direction: increase, window: 7d, cuped: true}}}
  - name: helper
    label: Helper
    type: simple
    type_params: {measure: {name: purchases}}
  - name: order_value
    label: Order value
    type: ratio
    type_params: {numerator: revenue, denominator: helper}
    config: {meta: {fairsplit: {kind: ratio, unit: USD, direction: increase, window: open}}}
  - name: back_on_day_7
    label: Back
    type: simple
    type_params: {measure: purchases}
    config: {meta: {fairsplit: {kind: retention, unit: s, direction: increase, window: 1d, retention_day: 7}}}
"""


def read(tmp_path, text):
    folder = tmp_path / "models" / "semantic"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "metrics.yml").write_text(text)
    layer = read_semantic_layer(tmp_path)
    return dict(layer.metrics), list(layer.problems)


def test_metrics_know_their_measures_windows_and_scales(tmp_path):
    metrics, problems = read(tmp_path, SEMANTIC)
    assert problems == []
    assert list(metrics) == ["back_on_day_7", "order_value", "revenue"]
    revenue, order_value, back = metrics["revenue"], metrics["order_value"], metrics["back_on_day_7"]
    assert (revenue.numerator, revenue.denominator, revenue.scale_y, revenue.test) == (
        "money",
        None,
        1_000_000,
        "welch",
    )
    assert (order_value.numerator, order_value.denominator, order_value.test) == (
        "money",
        "purchases",
        "ratio",
    )
    assert (order_value.scale_y, order_value.scale_d, order_value.window_end) == (1_000_000, 1, None)
    assert (back.window_start, back.window_end, back.test) == (
        timedelta(days=7),
        timedelta(days=8),
        "proportion",
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("cuped: true", "cupd: true", "metrics.yml:15 cupd: unknown key 'cupd' (True: one of: cuped,"),
        ("window: open", "window: 7 days", "metrics.yml:24 window: is not a duration (7 days:"),
        (
            "direction: increase, window: open",
            "window: open",
            "metrics.yml:24 direction: key 'direction' is missing",
        ),
        (
            "denominator: helper",
            "denominator: helpr",
            "metrics.yml:23 metrics[2].type_params.denominator: unknown metric (helpr: ",
        ),
        (
            ", retention_day: 7",
            "",
            "metrics.yml:29 metrics[3].config.meta.fairsplit: a retention metric says no day",
        ),
        (
            "scale: 1000000",
            "scale: 0.5",
            "metrics.yml:8 semantic_models[0].measures[1].config.meta.fairsplit.scale:",
        ),
    ],
)
def test_a_broken_metric_is_told_and_stops_no_other(tmp_path, old, new, message):
    assert old in SEMANTIC
    metrics, problems = read(tmp_path, SEMANTIC.replace(old, new))
    assert str(problems[0]).startswith(f"models/semantic/{message}")
    assert metrics


def test_the_hash_moves_with_the_measure_and_not_with_the_label(tmp_path):
    before = read(tmp_path, SEMANTIC)[0]["order_value"].definition_hash
    assert (
        read(tmp_path, SEMANTIC.replace("label: Revenue", "label: Money"))[0]["order_value"].definition_hash
        == before
    )
    assert (
        read(tmp_path, SEMANTIC.replace("expr: value", "expr: -value"))[0]["order_value"].definition_hash
        != before
    )


def test_the_shipped_metrics_are_sound():
    layer = read_semantic_layer(ROOT / "dbt_project")
    metrics, problems = layer.metrics, list(layer.problems)
    assert problems == []
    assert metrics == load_metrics(ROOT / "dbt_project")
    assert {"checkout_conversion", "revenue_per_user", "error_rate"} <= set(metrics)


def test_each_kind_has_its_test():
    metrics = load_metrics(ROOT / "dbt_project")
    tests = {
        name: metrics[name].test for name in ("revenue_p90", "checkout_funnel", "time_to_purchase", "ctr")
    }
    assert tests == {
        "revenue_p90": "percentile",
        "checkout_funnel": "proportion",
        "time_to_purchase": "ratio",
        "ctr": "ratio",
    }
    assert (metrics["retention_day_7"].test, metrics["revenue_distribution"].test) == (
        "proportion",
        "mann_whitney",
    )


def test_the_published_json_schemas_are_those_of_the_models():
    for kind, schema in json_schemas().items():
        published = json.loads((ROOT / "catalog" / "schema" / f"{kind}.json").read_text(encoding="utf-8"))
        assert published == json.loads(json.dumps(schema)), "run `fairsplit validate --write-schema`"
