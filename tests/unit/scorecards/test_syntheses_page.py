"""The page of syntheses and its document: a forest, what is left out and why, and how much effects differ."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest

from fairsplit.analysis.judgement.synthesising import SYNTHESES, SYNTHESIS_STUDIES
from fairsplit.analysis.scorecards import render_site
from fairsplit.analysis.scorecards.inputs import MetricView, SiteInputs, SynthesisView

DAY = date(2026, 1, 25)


def study(position: int, name: str, effect: float | None, reason: str | None = None) -> dict:
    ends = (None, None) if effect is None else (effect - 0.1, effect + 0.1)
    return {
        "synthesis_id": "buttons", "metric": "revenue", "cut_off": DAY, "position": position, "experiment_id": name,
        "variant_id": "red", "study_cut_off": DAY, "n": 1_000, "effect": effect,
        "std_error": None if effect is None else 0.05, "ci_low": ends[0], "ci_high": ends[1],
        "weight_fixed": None if effect is None else 0.5, "weight_random": None if effect is None else 0.5,
        "status": "left_out" if reason else "ok", "reason": reason,
    }  # fmt: skip


def model(name: str, **changes) -> dict:
    numbers = {
        "estimate": 0.35, "std_error": 0.15, "df": 1.0, "p_value": 0.26, "ci_low": -1.5, "ci_high": 2.2, "tau2": 0.04,
        "q": 18.0, "q_p_value": 2e-5, "i2": 0.94, "prediction_low": None, "prediction_high": None,
    }  # fmt: skip
    row = {"synthesis_id": "buttons", "metric": "revenue", "model": name, "cut_off": DAY, "studies": 2}
    return row | numbers | {"status": "ok", "reason": None, "unit": "USD", "direction": "increase"} | changes


@pytest.fixture
def inputs() -> SiteInputs:
    studies = [study(0, "one", 0.5), study(1, "two", 0.2), study(2, "<b>three", None, "gate_closed")]
    return SiteInputs(
        cut_off=DAY,
        experiments=[],
        metrics={"revenue": MetricView("revenue", "Revenue", "", "mean", "USD", "increase")},
        syntheses=pl.DataFrame([model("fixed"), model("random")], schema_overrides=dict(SYNTHESES)),
        synthesis_studies=pl.DataFrame(studies, schema_overrides=dict(SYNTHESIS_STUDIES)),
        synthesis_views=[SynthesisView("buttons", "Red buttons", "growth@example.com", "One idea.")],
    )


def page(inputs: SiteInputs, path: str) -> str:
    return next(str(one.content) for one in render_site(inputs) if one.path == path)


def test_a_forest_shows_each_experiment_the_models_and_the_heterogeneity(inputs):
    text = page(inputs, "syntheses.html")
    assert "Red buttons" in text
    assert 'data-study="one"' in text
    assert "Left out: its data are faulty." in text
    assert "&lt;b&gt;three" in text
    assert "random effects, REML" in text
    assert "Q = 18.0 on 1 degrees of freedom" in text
    assert "NaN" not in text
    assert "None" not in text


def test_what_is_not_computed_says_why(inputs):
    none = dict.fromkeys(
        ("estimate", "std_error", "ci_low", "ci_high", "tau2", "q", "i2", "q_p_value", "p_value")
    )
    rows = [
        model(name, **none, status="not_computed", reason="too_few_experiments", studies=1)
        for name in ("fixed", "random")
    ]
    frame = pl.DataFrame(rows, schema_overrides=dict(SYNTHESES))
    text = page(
        SiteInputs(
            **{
                name: getattr(inputs, name)
                for name in ("cut_off", "experiments", "metrics", "synthesis_studies", "synthesis_views")
            },
            syntheses=frame,
        ),
        "syntheses.html",
    )
    assert "Not computed: fewer than two experiments have an effect." in text


def test_without_a_definition_the_page_says_where_one_goes(inputs):
    text = page(SiteInputs(cut_off=DAY, experiments=[], metrics={}), "syntheses.html")
    assert "catalog/syntheses/" in text


def test_the_document_has_the_rows(inputs):
    text = page(inputs, "api/syntheses.json")
    assert '"synthesis_id": "buttons"' in text
    assert "cut_off" not in text.replace("study_cut_off", "")
