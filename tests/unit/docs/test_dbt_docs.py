"""dbt's page says of each metric what it counts and who uses it."""

from __future__ import annotations

import json

from fairsplit.orchestration.catalogue.loading import read_definitions
from fairsplit.orchestration.publishing.dbt_docs import described
from fairsplit.orchestration.publishing.metric_notes import metric_notes

PAGE = 'var a={{}};n={{manifest:{manifest},catalog:{{"nodes": {{}}}}}};'


def test_every_metric_has_its_sql_window_direction_and_experiments() -> None:
    definitions = read_definitions()
    notes = metric_notes(definitions)
    assert set(notes) == set(definitions.metrics)
    revenue = notes["revenue_per_user"]
    assert "in USD; more is better" in revenue
    assert "**Window** first 7 days" in revenue
    assert "**Measure** `sum` of `" in revenue
    assert "less is better" in notes["error_rate"]
    assert "[checkout_cta](../experiments/checkout_cta.html) (primary)" in notes["checkout_conversion"]
    assert all("**Measure**" in note for note in notes.values())
    assert notes["checkout_funnel"].count("**Measure**") == 3


def test_notes_and_overview_stand_in_the_page_and_hostile_text_ends_no_script() -> None:
    metric = {"name": "m", "label": "M", "unique_id": "metric.fairsplit.m", "description": "It."}
    manifest = {
        "metrics": {"metric.fairsplit.m": metric},
        "docs": {"doc.fairsplit.__overview__": {"block_contents": "# Overview"}},
    }
    page = described(PAGE.format(manifest=json.dumps(manifest)), {"m": "\n- **Used by** </script><b>x"})
    assert "</script>" not in page
    read, _ = json.JSONDecoder().raw_decode(page.partition("manifest:")[2])
    assert read["metrics"]["metric.fairsplit.m"]["description"] == "It.\n\n- **Used by** </script><b>x"
    assert "[M](#!/metric/metric.fairsplit.m)" in read["docs"]["doc.fairsplit.__overview__"]["block_contents"]
    assert page.endswith(',catalog:{"nodes": {}}};')


def test_another_layout_is_left_as_it_is() -> None:
    assert described("<p>nothing</p>", {"m": "x"}) == "<p>nothing</p>"
