"""The planner page says what statsmodels says of the same baseline."""

import dataclasses
import re

import pytest
from statsmodels.stats.power import NormalIndPower
from tests.unit.scorecards import site_world

from fairsplit.analysis.scorecards import render_site
from fairsplit.analysis.scorecards.planner import build


def page(inputs) -> str:
    return next(page.content for page in render_site(inputs) if page.path == "plan.html")


def test_detectable_effects_have_the_planned_power() -> None:
    plan = next(m for m in build(site_world.demo().inputs()).metrics if m.name == "revenue_per_user")
    line = next(line for line in plan.durations if line.days == 28)
    total = int(line.units.replace(",", ""))
    assert line.numbers[0] is not None
    mean = float(plan.value.removeprefix("$"))
    found = NormalIndPower().power(line.numbers[0] * mean / 11.0, total / 2, 0.05)
    assert found == pytest.approx(0.8, abs=0.01)


def test_the_page_lists_every_metric_and_each_page_links_to_it() -> None:
    inputs = site_world.demo().inputs()
    text = page(inputs)
    planned = set(re.findall(r'<section id="[^"]+" data-metric="([^"]+)"', text))
    assert planned == {m.name for m in build(inputs).metrics}
    index = next(page.content for page in render_site(inputs) if page.path == "index.html")
    assert 'href="plan.html"' in index


def test_without_results_the_page_says_how_to_plan() -> None:
    empty = dataclasses.replace(
        site_world.demo().inputs(), comparisons=site_world.demo().inputs().comparisons.clear()
    )
    assert "Nothing has been measured yet" in page(empty)
