"""The form writes every part of a definition, and the catalogue reads what was meant."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest
from tests.integration.test_site_browser import browser
from tests.unit.scorecards import site_world

from fairsplit.analysis.scorecards import render_site
from fairsplit.orchestration.catalogue.loading import read_definitions
from fairsplit.orchestration.project import PROJECT_ROOT
from fairsplit.orchestration.publishing.site import write_site

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.integration
__all__ = ["browser"]
SCHEMA = (
    '{"type": "object", "required": ["button_color"], "properties": {"button_color": {"type": "string"},'
    ' "size": {"type": "integer"}, "bold": {"type": "boolean"}}}'
)
#: What differs from the answers below, and what is said.
FAULTS = {
    "weights": ("[data-arm=control][data-key=weight]", "50", "Weights: they sum to 80%, not 100%."),
    "traffic": ("[name=traffic]", "0", "Traffic: more than 0%, at most 100%."),
    "schema": ("[name=schema]", "[1]", "Configuration: a JSON Schema, which is an object."),
    "missing": (
        "[data-arm=blue][data-key='config:button_color']",
        "",
        "Configuration: a value that fits is missing for blue: button_color.",
    ),
    "whole": (
        "[data-arm=blue][data-key='config:size']",
        "1.5",
        "Configuration: a value that fits is missing for blue: size.",
    ),
    "test": (
        "#tests .test [data-part=value]",
        "",
        "Targeting: each test needs an attribute and a value that fits its operator.",
    ),
    "margin": ("[name=margin][data-metric=error_rate]", "100", "Margin: more than 0% and less than 100%."),
    "days": ("[name=days]", "0", "Longest duration: whole days, at least 1."),
}


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    inputs = site_world.demo().inputs()
    return write_site(tmp_path_factory.mktemp("site"), render_site(inputs)).index.parent


@pytest.fixture(scope="module")
def page(browser, site) -> Iterator[Any]:
    opened = browser.new_page()
    opened.complaints = []
    opened.on("console", lambda message: opened.complaints.append(message.text))
    opened.on("pageerror", lambda error: opened.complaints.append(str(error)))
    yield opened
    assert not opened.complaints
    opened.context.close()


@pytest.fixture
def catalog(tmp_path, monkeypatch) -> Path:
    shutil.copy(PROJECT_ROOT / "catalog" / "project.yaml", tmp_path)
    shutil.copytree(PROJECT_ROOT / "catalog" / "segments", tmp_path / "segments")
    (tmp_path / "experiments").mkdir()
    monkeypatch.setenv("FAIRSPLIT_CATALOG", str(tmp_path))
    return tmp_path / "experiments"


def answer(page: Any, site: Path) -> None:
    page.goto(f"{site.as_uri()}/new.html")
    for name, value in {
        "name": "Every part",
        "owner": "growth@example.com",
        "hypothesis": "It moves.",
        "arms": "control, blue",
        "start": "2026-03-02",
    }.items():
        page.fill(f"[name={name}]", value)
    page.evaluate("document.querySelectorAll('details').forEach(part => { part.open = true; })")
    page.select_option("[name=primary]", "checkout_conversion")
    page.check("[name=guardrail][value=error_rate]")
    page.fill("[name=margin][data-metric=error_rate]", "20")
    page.check("[name=secondary][value=revenue_per_user]")
    page.fill("[name=traffic]", "40")
    page.fill("[name=schema]", SCHEMA)
    for key, control, blue in (
        ("weight", "70", "30"),
        ("config:button_color", 'a "quoted" \u2028 one', "blue"),
        ("config:size", "12", "-3"),
    ):
        page.fill(f"[data-arm=control][data-key='{key}']", control)
        page.fill(f"[data-arm=blue][data-key='{key}']", blue)
    page.select_option("[data-arm=blue][data-key='config:bold']", "true")
    page.select_option("[name=together]", "all")
    for attribute, operator, value in (
        ("country", "in", "US, CA"),
        ("age", "gte", "18"),
        ("age", "between", "18, 65"),
        ("email", "is_null", "false"),
        ("app", "semver_gte", "2.1.0"),
    ):
        page.click("#add-test")
        row = page.locator("#tests .test").last
        row.locator("[data-part=attribute]").fill(attribute)
        row.locator("[data-part=operator]").select_option(operator)
        row.locator("[data-part=value]").fill(value)
    page.select_option("[name=method]", "group_sequential")
    page.select_option("[name=alpha]", "0.05")
    page.select_option("[name=power]", "0.9")
    page.fill("[name=sample]", "500")
    page.fill("[name=days]", "28")
    page.fill("[name=splits]", "country, platform")
    page.select_option("[name=unit]", "session")
    page.select_option("[name=sdk]", "flagd")


def test_every_part_is_written_and_read(page, site, catalog):
    answer(page, site)
    assert page.inner_text("#wrong") == ""
    with page.expect_download() as saved:
        page.click("#save")
    saved.value.save_as(catalog / "every_part.yaml")
    found = read_definitions().catalogue
    assert found.broken == {}
    made = found.experiments["every_part"]
    assert (made.unit, made.sdk, list(made.segments)) == ("session", "flagd", ["country", "platform"])
    assert made.history[0].traffic == 0.4
    assert made.history[0].weights == {"control": 0.7, "blue": 0.3}
    control, blue = (arm.config for arm in made.variants)
    assert control == {"button_color": 'a "quoted" \u2028 one', "size": 12}
    assert blue == {"button_color": "blue", "size": -3, "bold": True}
    assert made.config_schema["required"] == ["button_color"]
    tests = [part.model_dump(by_alias=True, exclude_none=True) for part in made.targeting.all]
    assert [{key: list(v) if isinstance(v, tuple) else v for key, v in test.items()} for test in tests] == [
        {"attribute": "country", "in": ["US", "CA"]},
        {"attribute": "age", "gte": 18},
        {"attribute": "age", "between": [18, 65]},
        {"attribute": "email", "is_null": False},
        {"attribute": "app", "semver_gte": "2.1.0"},
    ]
    (guardrail,) = made.metrics.guardrails
    assert (guardrail.metric, guardrail.non_inferiority_margin.relative) == ("error_rate", 0.2)
    assert [use.metric for use in made.metrics.secondary] == ["revenue_per_user"]
    plan = made.plan
    assert (plan.method, plan.alpha, plan.power, plan.min_sample) == ("group_sequential", 0.05, 0.9, 500)
    assert plan.max_duration.days == 28


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_part_is_named_and_nothing_saved(page, site, fault):
    answer(page, site)
    where, value, words = FAULTS[fault]
    page.locator(where).first.fill(value)
    assert words in page.inner_text("#wrong")
    assert page.get_attribute("#save", "href") is None


def test_the_form_plans_as_the_planner_does(page, site):
    page.goto(f"{site.as_uri()}/plan.html")
    page.select_option("#calculator [name=metric]", "checkout_conversion")
    page.fill("#calculator [name=effect]", "3%")
    page.select_option("#calculator [name=power]", "0.9")
    page.select_option("#calculator [name=method]", "group_sequential")
    page.select_option("#calculator [name=arms]", "2")
    said = [page.inner_text(f"#calc-{name}") for name in ("days", "total")]
    page.goto(f"{site.as_uri()}/new.html")
    page.fill("[name=arms]", "control, a, b")
    page.fill("[name=effect]", "3")
    page.select_option("[name=primary]", "checkout_conversion")
    page.evaluate("document.querySelectorAll('details').forEach(part => { part.open = true; })")
    page.select_option("[name=power]", "0.9")
    page.select_option("[name=method]", "group_sequential")
    assert [page.inner_text(f"#plan-{name}") for name in ("days", "total")] == said
    page.fill("[name=traffic]", "50")
    assert page.inner_text("#plan-days") != said[0]


def test_metrics_are_found_by_a_part_of_their_name(page, site):
    page.goto(f"{site.as_uri()}/new.html")
    page.check("[name=guardrail][value=error_rate]")
    page.fill("#find-metric", "revenue PER")
    shown = page.evaluate("[...document.querySelectorAll('#uses tbody tr')].filter(r => !r.hidden).length")
    assert shown == 2, "the one that is found, and the one that is chosen"
