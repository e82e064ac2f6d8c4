"""Every situation that a reader may meet, by what can be measured of its page; docs/scorecards.md has the judgement."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.integration.test_site_browser import WIDTHS, _draw, browser
from tests.unit.scorecards import site_world

from fairsplit.analysis.scorecards import ExperimentMetric, MetricView, PlanView, render_site
from fairsplit.orchestration.publishing.site import write_site

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.integration
__all__ = ["browser"]
#: Page to what its verdict says.
SITUATIONS = {
    "checkout_cta": "Red wins.",
    "price_page": "Red loses.",
    "flat": "No clear difference.",
    "too_early": "Too early to tell.",
    "srm_world": "No verdict.",
    "factorial": "Keep running.",
    "five_arms": "Keep running.",
    "changed_weights": "No clear difference.",
    "negative": "Red wins.",
    "unseen": "Ended without data.",
    "failed": "This definition is broken.",
}
#: Of what a reader must see whole: whether its text is wider than its box, and where it ends.
MEASURE = """() => ({
  over: document.documentElement.scrollWidth - innerWidth,
  cut: [...document.querySelectorAll('.hero *, .metrics td, .checks p')]
    .filter(e => getComputedStyle(e).overflowX === 'hidden' && e.scrollWidth > e.clientWidth + 1).length,
  verdict: document.getElementById('verdict').getBoundingClientRect().bottom,
  first: document.querySelector('h1, h2, h3').tagName,
  points: [...document.querySelectorAll('.hero .iv .point')].map(p => {
    const [a, b] = [p.getBoundingClientRect(), p.closest('svg').getBoundingClientRect()];
    return a.left >= b.left - 8 && a.right <= b.right + 8;
  }),
})"""


def _said(world: site_world.World, name: str, **said: Any) -> None:
    for row in world.decisions:
        if row["experiment_id"] == name:
            row.update(said)


def _world() -> site_world.World:
    world = site_world.demo()
    flat = {"decision": "inconclusive", "action": "keep_control", "variant_id": "control"}
    for name in ("flat", "changed_weights"):
        world.add(site_world.experiment(name, plan=PlanView("fixed")), {}, segments=False)
        _said(world, name, reasons=["no_difference_found"], sentence="No clear difference.", **flat)
    for row in world.rows:
        if row["experiment_id"] == "changed_weights" and row["comparison"] is not None:
            row.update(stratified_by="phase", left_out=0, pooled_lift_rel=-0.135, pooled_lift_abs=-0.02)
            row.update(pooled_p_value=8.7e-21, p_value=0.5)
        else:
            row.update(dict.fromkeys(("stratified_by", "left_out", "pooled_lift_rel"), None))
            row.update(dict.fromkeys(("pooled_lift_abs", "pooled_p_value"), None))
    world.add(
        site_world.experiment("five_arms", ("control", "a", "b", "c", "d")), {"checkout_conversion": 0.04}
    )
    world.metrics["profit"] = MetricView("profit", "Profit", kind="revenue", unit="USD", direction="increase")
    world.add(
        site_world.experiment("negative", metrics=[ExperimentMetric("profit", "primary")]), {}, decision="win"
    )
    for row in world.rows:
        if row["experiment_id"] == "negative":
            row.update(mean=-10.26 if row["comparison"] is None else -1.05)
            if row["comparison"] is not None:
                row.update(control_mean=-10.26, lift_abs=9.21, lift_abs_low=8.7, lift_abs_high=9.7)
                row.update(lift_rel=0.898, lift_rel_low=0.85, lift_rel_high=0.95, finding="better")
                row.update(seq_rel_low=0.8, seq_rel_high=0.99, seq_low=8.2, seq_high=10.2)
    world.experiments.append(site_world.experiment("unseen", status="completed"))
    world.decisions.append(
        {
            "experiment_id": "unseen",
            "cut_off": site_world.CUT_OFF,
            "decision": "inconclusive",
            "action": "investigate",
            "variant_id": None,
            "reasons": ["ended_unseen"],
            "sentence": "It has ended and no unit was ever exposed.",
        }
    )
    return world


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    inputs = _world().inputs()
    inputs = replace(inputs, decisions=inputs.decisions.sort("cut_off", maintain_order=True))
    return write_site(tmp_path_factory.mktemp("site"), render_site(inputs)).index.parent


@pytest.fixture(scope="module", params=["light", "dark"])
def context(browser, request) -> Iterator[Any]:
    made = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme=request.param)
    yield made
    made.close()


@pytest.mark.parametrize("name", SITUATIONS)
def test_a_situation_is_told_first_and_whole(site, context, name):
    (path,) = (site / "experiments").glob("failed-*.html" if name == "failed" else f"{name}.html")
    page = context.new_page()
    page.goto(path.as_uri())
    _draw(page)
    assert page.inner_text("#verdict") == SITUATIONS[name]
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        page.evaluate("scrollTo(0, 0)")
        seen = page.evaluate(MEASURE)
        assert seen["over"] <= 0, width
        assert seen["cut"] == 0, width
        assert seen["verdict"] < 450, width
        assert seen["first"] == "H1"
        assert all(seen["points"]), width
    page.close()


def test_the_words_of_each_situation(site):
    def text(name: str) -> str:
        return (site / "experiments" / f"{name}.html").read_text()

    assert "are excluded." in text("flat")
    assert "all units thrown together would say −13.5% (p 8.7×10⁻²¹)" in text("changed_weights")
    negative = text("negative")
    assert "+89.8%" in negative
    assert "▲</span> better" in negative
    assert 'class="hero good"' in negative
    assert 'class="gauge"' not in text("unseen")
    assert 'class="gauge"' not in text("srm_world")


def test_pages_of_experiments_are_small(site):
    sizes = {path.name: path.stat().st_size for path in (site / "experiments").glob("*.html")}
    large = {name for name, size in sizes.items() if size >= 100_000}
    assert large <= {"five_arms.html", "fourteen_arms.html", "sixty_metrics.html"}, sizes
