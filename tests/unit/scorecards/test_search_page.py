"""M37: the page of searches: what was tried, what comes next, and cuts through the surface."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

import polars as pl
import pytest

from fairsplit.analysis.judgement.searching import SEARCH
from fairsplit.analysis.scorecards import render_site
from fairsplit.analysis.scorecards.inputs import MetricView, SiteInputs

DAY = date(2026, 1, 25)


def row(position: int, kind: str, mean: float, **more) -> dict:
    base = {"search_id": "hero", "cut_off": DAY, "position": position, "kind": kind, "experiment_id": "hero",
            "metric": "revenue", "unit": "USD", "mean": mean, "low": mean - 0.2, "high": mean + 0.2,
            "parameters": json.dumps({"size": 10 + position, "colour": "<i>"}), "status": "ok"}  # fmt: skip
    return base | more


@pytest.fixture
def inputs() -> SiteInputs:
    rows = [
        row(1, "tried", 0.3, variant_id="a", batch=1, observed=0.35, std_error=0.1, is_best=True),
        row(2, "tried", -0.1, variant_id="b", batch=1, observed=-0.15, std_error=0.1, is_best=False),
        row(3, "proposed", 0.5, batch=2, expected_improvement=0.12, of_minimum=0.24),
        row(4, "surface", 0.4, axis="size"),
    ]
    return SiteInputs(
        cut_off=DAY,
        experiments=[],
        metrics={"revenue": MetricView("revenue", "Revenue", "", "mean", "USD", "increase")},
        search=pl.DataFrame(rows, schema=dict(SEARCH)),
    )


def page(inputs: SiteInputs, path: str) -> str:
    return next(str(one.content) for one in render_site(inputs) if one.path == path)


def test_m37_the_page_shows_points_proposals_and_cuts(inputs: SiteInputs) -> None:
    text = page(inputs, "search.html")
    assert 'data-point="size 11, colour &lt;i&gt;" data-best' in text
    assert 'data-proposed="size 13, colour &lt;i&gt;"' in text
    assert 'data-cut="size"' in text
    assert "+$0.12" in text
    assert "(24.0% of the smallest that matters)" in text
    assert "<i>" not in text


def test_m37_a_search_that_is_over_says_why(inputs: SiteInputs) -> None:
    over = inputs.search.with_columns(
        status=pl.when(pl.col("kind") == "proposed").then(pl.lit("not_proposed")).otherwise("status"),
        reason=pl.when(pl.col("kind") == "proposed").then(pl.lit("batches_done")).otherwise("reason"),
    )
    assert "as many batches as were asked for are tried" in page(replace(inputs, search=over), "search.html")


def test_m37_the_document_has_the_parameters_and_without_searches_there_is_no_page(
    inputs: SiteInputs,
) -> None:
    found = json.loads(page(inputs, "api/search.json"))["searches"]
    assert found[0]["parameters"] == {"size": 11, "colour": "<i>"}
    assert found[2]["expected_improvement"] == 0.12
    paths = {one.path for one in render_site(replace(inputs, search=pl.DataFrame()))}
    assert "search.html" not in paths
