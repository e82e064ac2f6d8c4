"""Whatever a result is, its pages say the rows' numbers, the same everywhere, and nothing that is no number."""

from __future__ import annotations

import html
import json
import math
import re
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.scorecards import site_world
from tests.unit.scorecards.test_site_pages import read

from fairsplit.analysis.judgement.effect_wording import effect_text
from fairsplit.analysis.judgement.effects import effect_of
from fairsplit.analysis.scorecards import ExperimentMetric, MetricView, PlanView, render_site

KINDS = {
    "rate": MetricView("rate", "Checkout conversion", kind="proportion", direction="increase"),
    "money": MetricView("money", "Profit", kind="revenue", unit="USD", direction="increase"),
    "time": MetricView("time", "Waiting time", kind="duration", unit="seconds", direction="decrease"),
    "per": MetricView("per", "Clicks per page", kind="ratio", unit="clicks per page", direction="increase"),
}
REASONS = {
    "primary_improved": ("stop", "ship"),
    "primary_harmed": ("stop", "roll_back"),
    "no_difference_found": ("inconclusive", "keep_control"),
    "collecting": ("continue", "wait"),
    "guardrail_not_cleared": ("inconclusive", "extend"),
}
NO_NUMBER = re.compile(r"\b(?:inf|nan|infinity)\b|no bound to no bound", re.IGNORECASE)
NUMBER = r"([+−]?\$?[\d,]+(?:\.\d+)?)"
SIZES = st.floats(1e-6, 1e7)
ENDS = st.sampled_from([None, math.inf, 1.0, 1.5, 8.0])


def parsed(text: str) -> float:
    return float(text.replace("−", "-").translate(dict.fromkeys(map(ord, ",+$"))))


def rounding(text: str) -> float:
    """Half of a number's last digit as it is written."""
    return 0.5 * 10.0 ** -len(text.partition(".")[2]) * (1 + 1e-9)


@st.composite
def results(draw: st.DrawFn) -> dict[str, Any]:
    """One comparison: any size and sign of the control, intervals that are open on either side, or none."""
    metric = draw(st.sampled_from(sorted(KINDS)))
    share = metric == "rate"
    base = draw(st.floats(0.001, 0.9)) if share else draw(SIZES) * draw(st.sampled_from([1, -1]))
    error = abs(base) * draw(st.floats(1e-4, 3.0))
    difference = error * draw(st.floats(-6.0, 6.0))
    relative = draw(st.booleans())
    row: dict[str, Any] = {
        "lift_abs": difference,
        "lift_abs_low": difference - 1.96 * error,
        "lift_abs_high": difference + 1.96 * error,
        "lift_rel": difference / abs(base) if relative else None,
        "shown_as": "relative" if relative else "absolute",
    }
    lower, upper = draw(ENDS), draw(ENDS)
    for ends, scale in (("seq", 1.0), *([("seq_rel", abs(base))] if relative else [])):
        row[f"{ends}_low"] = None if lower is None else (difference - 1.96 * lower * error) / scale
        row[f"{ends}_high"] = None if upper is None else (difference + 1.96 * upper * error) / scale
    if relative:
        ends = (draw(st.sampled_from([1.0, math.inf])), draw(st.sampled_from([1.0, math.inf])))
        row["lift_rel_low"] = (difference - 1.96 * ends[0] * error) / abs(base)
        row["lift_rel_high"] = (difference + 1.96 * ends[1] * error) / abs(base)
    gain = -difference if KINDS[metric].direction == "decrease" else difference
    return {
        "metric": metric,
        "base": base,
        "row": row,
        "finding": "unclear" if abs(difference) < 1.96 * error else "better" if gain > 0 else "worse",
        "method": draw(st.sampled_from(["fixed", "group_sequential", "always_valid"])),
        "reason": draw(st.sampled_from(sorted(REASONS))),
        "gate": draw(st.sampled_from(["pass", "pass", "warn", "fail"])),
        "information": draw(st.sampled_from([None, 0.0, 0.3, 1.4])),
    }


def site_of(case: dict[str, Any]) -> tuple[dict[str, str], dict[str, Any], str]:
    """The pages of one experiment with that result, its row, and the sentence of its decision."""
    world, metric = site_world.World(), KINDS[case["metric"]]
    view = site_world.experiment(
        "one",
        metrics=[ExperimentMetric(metric.name, "primary", minimum_effect=0.02)],
        plan=PlanView(case["method"]),
        segments=[],
    )
    world.metrics = dict(KINDS)
    world.add(view, {}, segments=False, srm=case["gate"])
    for row in world.rows:
        row["mean"] = case["base"]
        if row["comparison"] is not None:
            row["mean"] = case["base"] + case["row"]["lift_abs"]
            row.update(dict.fromkeys(("lift_rel_low", "lift_rel_high", "seq_rel_low", "seq_rel_high")))
            row.update(case["row"] | {"control_mean": case["base"], "finding": case["finding"]})
            row.update(direction=metric.direction, information_fraction=case["information"])
            row["seq_units_needed"] = 12_345.0
    newest = next(row for row in reversed(world.rows) if row["comparison"] is not None)
    told = newest | {
        "label": metric.label,
        "plan_method": case["method"],
        "is_share": metric.kind == "proportion",
        "unit": metric.unit,
        "reason": None,
    }
    decision, action = REASONS[case["reason"]]
    sentence = f"It is so: {effect_text(told)}."
    for row in world.decisions:
        row.update(decision=decision, action=action, variant_id="red", reasons=[case["reason"]])
        row["sentence"] = sentence
    return {page.path: page.content for page in render_site(world.inputs())}, newest, sentence


def element(page: str, start: str) -> str:
    found = re.search(
        rf"{start}[^>]*>(.*?)</(?:{'tr' if start.startswith('<tr') else 'p|span'})>", page, re.DOTALL
    )
    assert found, start
    return html.unescape(found[1])


def refused(name: str) -> None:
    raise AssertionError(name)


def assert_only_numbers(text: str, path: str) -> None:
    """No word, attribute, place of a picture or number of a chart is infinite or not a number."""
    assert not NO_NUMBER.search(" ".join(read(text).words)), path
    for data in re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', text, re.DOTALL):
        json.loads(html.unescape(data), parse_constant=refused)
    assert not re.search(r'data-[a-z-]+="[^"]*\b(?:inf|nan)\b', text)
    assert not re.search(r'(?:x1|x2|cx)="[^"]*(?:inf|nan)', text)


def assert_programme_agrees(pages: dict[str, str], case: dict[str, Any]) -> None:
    """The page of the programme, its API and the index say one outcome, that of the newest decision."""
    rows = json.loads(pages["api/programme.json"])
    (line,) = rows["experiments"]
    settled = {"ship": "won", "roll_back": "lost", "keep_control": "flat"}
    outcome = None if case["gate"] == "fail" else settled.get(REASONS[case["reason"]][1])
    assert line["outcome"] == outcome
    known = {(row["figure"], row["scope"], row["level"]): row for row in rows["figures"]}
    shown = [attrs for _, attrs in read(pages["programme.html"]).tags if "data-value" in attrs]
    assert shown
    for attrs in shown:
        key = attrs["data-figure"], attrs.get("data-scope") or "all", attrs.get("data-level") or "all"
        # An experiment without a tag has an area without a name.
        if attrs.get("data-scope") == "area":
            key = (*key[:2], attrs["data-level"] or "")
        assert float(attrs["data-value"] or "nan") == known[key]["value"]
    tile = f"<dt>Decided</dt><dd>{1 if outcome else 0}</dd>"
    assert tile in pages["index.html"]


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(results())
def test_pages_say_the_numbers_of_the_rows_and_agree(case: dict[str, Any]) -> None:
    pages, row, sentence = site_of(case)
    page, index = pages["experiments/one.html"], pages["index.html"]
    for path, text in pages.items():
        if path.endswith(".html"):
            assert_only_numbers(text, path)
    for attrs in (attrs for tag, attrs in read(page).tags if tag == "tr" and "data-lift-abs" in attrs):
        for name in ("n", "mean", "lift_abs", "lift_rel", "lift_rel_low", "seq_rel_high", "p_value"):
            shown = attrs.get("data-" + name.replace("_", "-"))
            known = row.get(name)
            assert (shown is None) == (known is None or not math.isfinite(known))
            assert shown is None or float(shown) == known
    assert_programme_agrees(pages, case)
    verdict = element(page, 'id="verdict"')
    line = element(index, '<tr[^>]*data-id="one"')
    assert verdict.removesuffix(".") in line
    effect = element(page, 'id="effect"')
    if case["gate"] == "fail":
        assert verdict == "No verdict."
        assert not re.search(r"\d", effect)
        assert 'data-lift=""' in index
        return
    assert html.unescape(page).count(sentence) >= 2, "hero and log"
    expected = effect_of(row, lasting=case["method"] != "fixed")
    assert expected is not None
    shown = re.search(rf"{NUMBER}(%| pp| h| min| days| s|) \(", effect)
    assert shown, effect
    units = {"%": 0.01, " pp": 0.01, " h": 3600, " min": 60, " days": 86400}
    scale = units.get(shown[2], 1.0)
    assert abs(parsed(shown[1]) * scale - expected.value) <= rounding(shown[1]) * scale + 1e-12
    assert shown[1] in line, "the index says the hero's lift"
    if expected.has_interval:
        for end in (expected.low, expected.high):
            assert end is not None or "no bound" in effect
        bounds = re.findall(rf"{NUMBER}(?:%| pp| h| min| days| s|)", effect.partition("interval ")[2])
        known_ends = [end for end in (expected.low, expected.high) if end is not None]
        for text, end in zip(bounds, known_ends, strict=True):
            assert abs(parsed(text) * scale - end) <= rounding(text) * scale + 1e-12
    elif case["method"] != "fixed":
        assert "too early for a bound that holds at every look, from about 12,345 units" in effect
