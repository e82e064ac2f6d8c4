"""The page of pairs: what is flagged stands on it with its effects, hostile names stay text, JSON is JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

import polars as pl
from tests.unit.scorecards import site_world

from fairsplit.analysis.judgement.interactions import INTERACTION_EFFECTS, INTERACTIONS
from fairsplit.analysis.scorecards import SiteInputs, render_site

DAY = date(2026, 1, 20)
ROW = dict.fromkeys(INTERACTIONS) | {
    "experiment_id": "one", "other_id": "two", "metric": "clicks", "cut_off": DAY, "units": 4_000, "strata": 2,
    "statistic": 30.0, "df1": 2.0, "df2": float("inf"), "p_value": 3e-7, "p_holm": 3e-7, "p_adjusted": 6e-7,
    "dependence_p": 0.4, "dependence_p_adjusted": 0.8, "variant_id": "red", "other_variant": "<b>large</b>",
    "interaction": -1.25, "std_error": 0.25, "ci_low": -1.74, "ci_high": -0.76, "smallest_visible": 0.7,
    "status": "ok", "finding": "interacts",
}  # fmt: skip
QUIET = ROW | {
    "experiment_id": "two",
    "other_id": "one",
    "p_value": 0.6,
    "p_adjusted": 0.6,
    "finding": "none",
}
EFFECT = dict.fromkeys(INTERACTION_EFFECTS) | {
    "experiment_id": "one", "other_id": "two", "metric": "clicks", "cut_off": DAY, "kind": "conditional",
    "variant_id": "red", "other_variant": "<b>large</b>", "effect": -1.0, "std_error": 0.2, "ci_low": -1.4,
    "ci_high": -0.6,
}  # fmt: skip


def with_pairs() -> SiteInputs:
    return replace(
        site_world.demo().inputs(),
        interactions=pl.DataFrame([ROW, QUIET], schema=dict(INTERACTIONS)),
        interaction_effects=pl.DataFrame([EFFECT], schema=dict(INTERACTION_EFFECTS)),
    )


def pages() -> dict[str, str]:
    wanted = ("interactions.html", "api/interactions.json")
    return {page.path: page.content for page in render_site(with_pairs()) if page.path in wanted}


def test_the_flagged_pair_and_its_effects_stand_on_the_page() -> None:
    found = pages()
    page = found["interactions.html"]
    assert "2 pairs of experiments on the same units were looked at; 1 are flagged" in page
    assert 'data-pair="one/two"' in page
    assert 'data-pair="two/one"' not in page
    assert "The effect of red is −1.25 (−1.74 to −0.76) in &lt;b&gt;large&lt;/b&gt;" in page
    assert "in &lt;b&gt;large&lt;/b&gt;: red −1.00 (−1.40 to −0.60)" in page
    assert "<b>large" not in page
    assert 'class="depth6"' in page


def test_the_rows_are_json() -> None:
    document = json.loads(pages()["api/interactions.json"])
    assert document["interactions"][0]["df2"] is None
    assert document["effects"][0]["effect"] == -1.0
