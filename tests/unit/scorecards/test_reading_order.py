"""What a reader meets first: name, verdict, figures, metrics, then one line of checks."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache

import polars as pl
import pytest
from tests.unit.scorecards import site_world
from tests.unit.scorecards.test_site_pages import read

from fairsplit.analysis.judgement.effects import Effect
from fairsplit.analysis.scorecards import render_site
from fairsplit.analysis.scorecards.checks import check_cards, summary_line
from fairsplit.analysis.scorecards.faults import likeliest
from fairsplit.analysis.scorecards.impact import eligible_a_month, impact_lines, total
from fairsplit.analysis.scorecards.inputs import MetricView
from fairsplit.analysis.scorecards.outlook import days_to_power, power_words, ruled_out


@cache
def pages() -> dict[str, str]:
    return {page.path: page.content for page in render_site(site_world.demo().inputs())}


def card(name: str) -> str:
    return pages()[f"experiments/{name}.html"]


def shown(page: str, part: str) -> str:
    found = re.search(rf'id="{part}"[^>]*>(.*?)</', page, re.DOTALL)
    assert found, part
    return found[1]


def test_every_page_begins_with_a_name():
    for path, text in pages().items():
        if path.endswith(".html"):
            headings = [tag for tag, _ in read(text).tags if tag in {"h1", "h2", "h3"}]
            assert headings[0] == "h1", path
            assert headings.count("h1") == 1, path
    assert shown(card("checkout_cta"), "name") == "Checkout button colour"


def test_metrics_come_before_checks_and_checks_are_one_folded_line():
    page = card("checkout_cta")
    assert page.index('id="metrics"') < page.index('id="checks"')
    order = [page.index(f">{title}") for title in ("Primary<", "Guardrails: must", "Secondary<")]
    assert order == sorted(order)
    assert '<details class="all-checks"><summary><strong>6 of 6 checks pass</strong>' in page
    assert '<details class="all-checks" open><summary><strong>4 of 6 checks pass: 2 warnings' in card(
        "warned"
    )


def test_a_closed_gate_headlines_and_colours_no_effect():
    page = card("srm_world")
    assert page.index('id="checks"') < page.index('id="metrics"')
    assert 'class="gauge"' not in page
    assert 'class="glance"' not in page
    assert 'data-chart="lift"' not in page
    assert not re.findall(r'class="(?:arm|chip|iv) (?:good|bad)', page)
    assert not re.search(r"[+−]\d", shown(page, "effect"))
    line = re.search(r'<tr[^>]*data-id="srm_world".*?</tr>', pages()["index.html"], re.DOTALL)
    assert line
    assert "<svg" not in line[0]
    assert 'data-lift=""' in line[0]


def test_a_guardrail_whose_data_decide_nothing_is_not_counted_as_safe():
    """As the decision does: an unmet requirement clears nothing, whatever the finding is."""
    met = site_world.demo().inputs()
    told = {}
    for is_met in (True, False):
        guardrail = pl.col("role") == "guardrail"
        rows = met.comparisons.with_columns(
            finding=pl.when(guardrail).then(pl.lit("within_margin")).otherwise("finding"),
            requirements_met=~guardrail | is_met,
        )
        (page,) = (
            page.content
            for page in render_site(replace(met, comparisons=rows))
            if page.path == "experiments/checkout_cta.html"
        )
        told[is_met] = re.search(r"(\d+) of (\d+) safe", page)
    assert told[True]
    assert told[False]
    assert int(told[True][1]) > 0
    assert (told[False][1], told[False][2]) == ("0", told[True][2])


def test_the_index_says_the_words_of_the_page():
    for name in ("checkout_cta", "price_page", "search_rank", "warned", "srm_world", "too_early", "no_data"):
        verdict = shown(card(name), "verdict")
        line = re.search(rf'<tr[^>]*data-id="{name}".*?</tr>', pages()["index.html"], re.DOTALL)
        assert line
        assert f"</span> {verdict.removesuffix('.')}</span>" in line[0]


def test_no_effect_size_stands_beside_a_winner():
    assert "negligible" not in card("checkout_cta")


def failing(check: str, **extra: object) -> dict[str, object]:
    return {
        "check": check,
        "segment": "all",
        "segment_level": "all",
        "status": "fail",
        "statistic": None,
        "p_value": None,
        "observed": "",
        "expected": "",
        "reason": None,
        "sentence": "it is off.",
    } | extra


def test_hand_logged_variants_are_told_of_external_assignment():
    """Two draws of one half each disagree in one half of the units."""
    view = site_world.experiment("one")
    by_hand = likeliest(view, [failing("audit", statistic=0.49)])
    assert by_hand is not None
    assert "assignment: external" in by_hand.step
    one_version = likeliest(
        view,
        [
            failing("audit", statistic=0.044),
            failing("audit", statistic=0.6, segment="sdk_version", segment_level="4.1.0"),
        ],
    )
    assert one_version is not None
    assert "SDK version 4.1.0" in one_version.cause
    assert "external" not in one_version.step


def test_the_cause_is_the_nearest_of_the_failing_checks():
    view = site_world.experiment("one")
    located = failing("srm_diagnosis", status="warn", statistic=0.98, sentence="platform = ios explains it.")
    found = likeliest(view, [failing("srm"), located])
    assert found is not None
    assert found.cause == "Platform = ios explains it."
    lost = likeliest(view, [failing("srm"), located, failing("loss:not_activated", sentence="lost there.")])
    assert lost is not None
    assert lost.cause == "Lost there."
    everywhere = likeliest(view, [failing("srm", observed="1,000 / 800", expected="900 / 900")])
    assert everywhere is not None
    assert everywhere.cause.startswith("Red loses units in every part")
    assert likeliest(view, [failing("srm", status="pass")]) is None


def test_a_fault_and_its_parts_share_a_card():
    rows = [
        failing("audit", statistic=0.04),
        failing("audit", segment="platform", segment_level="ios"),
        failing("audit", segment="assigned_day", segment_level="2026-01-05"),
    ]
    (only,) = check_cards(rows)
    assert len(only.parts) == 2
    assert summary_line(rows) == "0 of 2 checks pass: 2 failures"


def test_an_unclear_result_says_what_it_excludes_by_hand():
    metric = MetricView("m", "M", direction="increase")
    assert ruled_out(Effect(0.01, -0.0204, 0.0404, relative=True), metric) == (
        "Effects above +4.0% and below −2.0% are excluded."
    )
    less = replace(metric, direction="decrease")
    assert ruled_out(Effect(0.0, -0.1, None, relative=True), less) == "Effects below −10.0% are excluded."
    assert ruled_out(Effect(0.1, 0.05, 0.15, relative=True), metric) == ""
    assert ruled_out(Effect(0.1, None, None, relative=True), metric) == ""


def test_days_to_power_by_hand():
    """A quarter of the information from 10 closed days: 30 more days."""
    assert days_to_power([{"information_fraction": 0.25}, {"information_fraction": 0.5}], 17, 7.0) == 30
    assert days_to_power([{"information_fraction": 1.2}], 17, 7.0) == 0
    assert days_to_power([{"information_fraction": None}, {"information_fraction": 0.0}], 17, 7.0) is None
    assert power_words(1, running=True) == "About 1 more day at this intake reach the planned power."
    assert power_words(None, running=True) == ""


def test_hero_plan_and_index_name_the_same_days():
    page = card("search_rank")
    (days,) = {int(found) for found in re.findall(r"About (\d+) more days? at this intake", page)} or {0}
    line = re.search(r'<tr[^>]*data-id="search_rank".*?</tr>', pages()["index.html"], re.DOTALL)
    assert line
    assert (f"{days} to power" if days else "powered") in line[0]


def test_what_an_arm_brings_by_hand():
    """$0.22 a unit over 1,000 units are $220; 14 days at a tenth of the traffic let 1,400 in: 30,000 a month."""
    metric = MetricView("r", "Revenue", kind="revenue", unit="USD")
    effect = Effect(0.22, 0.10, 0.34, relative=False)
    view = replace(site_world.experiment("one"), intake=[(site_world.experiment("x").start, 0.1)])
    rows = [
        {"exposure_day": day.date(), "units": 100}
        for day in pl.datetime_range(view.start, view.start.replace(day=18), "1d", eager=True)
    ]
    month = eligible_a_month(view, rows)
    assert month == pytest.approx(30_000)
    assert impact_lines(effect, metric, "Red", month) == [
        ("Red, over 1,000 units", "+$220", "+$100 to +$340"),
        ("Red, a month of all 30,000 eligible", "+$6,600", "+$3,000 to +$10,200"),
    ]
    assert impact_lines(effect, replace(metric, kind="ratio"), "Red", month) == []
    assert total(1_000, 0.0052, "", "proportion") == "+5.2 units"


def test_a_month_follows_each_days_share():
    """A week at a tenth and a week at a half of 1,000 a day are 100 and 500 units a day: 1,000 a day all the same."""
    start = site_world.experiment("x").start
    view = replace(
        site_world.experiment("one"), intake=[(start, 0.1), (start.replace(day=start.day + 7), 0.5)]
    )
    rows = [
        {"exposure_day": start.replace(day=start.day + day).date(), "units": 100 if day < 7 else 500}
        for day in range(14)
    ]
    assert eligible_a_month(view, rows) == pytest.approx(30_000)
    assert eligible_a_month(view, rows[:5]) is None
