"""The page of flags and segments, and the same lists for machines."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import cache
from typing import Any

from tests.unit.scorecards import site_world
from tests.unit.scorecards.test_site_pages import read

from fairsplit.analysis.catalogue import Flag, Segment
from fairsplit.analysis.scorecards import render_site
from fairsplit.analysis.scorecards.views import flag_view, segment_view


@cache
def files() -> dict[str, str]:
    return {page.path: page.content for page in render_site(site_world.demo().inputs())}


def row(mark: str, text: str | None = None) -> str:
    (found,) = re.findall(rf"<tr [^>]*{mark}[^>]*>(.*?)</tr>", text or files()["flags.html"], re.DOTALL)
    return " ".join(read(found).words)


def test_each_flag_says_what_it_serves_to_whom() -> None:
    one_tap = row('data-flag="one_tap"')
    assert "on one-tap string 25% country is US or CA and (age" in one_tap
    assert "and “Payments by wallet” serves true 2 named units with a value of their own cart ufc" in one_tap
    assert 'href="experiments/checkout_cta.html"' in files()["flags.html"]
    assert "on true boolean 100% Everybody in the rollout. false ufc –" in row('data-flag="wallet"')
    off = row('data-flag="theme"')
    assert "off – json – Nobody while it is off. 1 named unit with a value of its own" in off
    # An experiment that did not load has no page to lead to.
    assert row('data-flag="long"').endswith("flagd –")


def test_each_segment_has_its_condition_and_size() -> None:
    assert row('data-segment-id="na"').endswith("country is US or CA user 4,321 35.0% 7,979 45")
    empty = row('data-segment-id="none"')
    assert "not active" in empty
    assert empty.endswith("session 0 – 0 0")
    assert "of the units seen 5 Jan – 1 Feb 2026" in " ".join(read(files()["flags.html"]).words)


def test_without_flags_and_segments_the_page_says_where_they_go() -> None:
    inputs = replace(site_world.demo().inputs(), flags=(), segments=())
    text = next(page.content for page in render_site(inputs) if page.path == "flags.html")
    assert "No flag is defined. Each is a file in <code>catalog/flags/</code>." in text
    assert "No segment is defined. Each is a file in <code>catalog/segments/</code>." in text


def test_every_page_leads_there() -> None:
    for path, text in files().items():
        if path.endswith(".html"):
            assert re.search(r'<nav.*?href="[^"]*flags\.html"', text, re.DOTALL), path


def test_the_api_lists_the_same() -> None:
    listed: dict[str, Any] = json.loads(files()["api/flags.json"])
    one_tap = next(item for item in listed["flags"] if item["id"] == "one_tap")
    assert (one_tap["value"], one_tap["default"], one_tap["rollout"]) == ("one-tap", "cart", 0.25)
    assert (one_tap["depends_on"], one_tap["overrides"]) == ([{"flag": "wallet", "value": True}], 2)
    assert len(listed["flags"]) == len(site_world.FLAGS)
    (na, _) = json.loads(files()["api/segments.json"])["segments"]
    assert (na["units"], na["inside"], na["unknown"], na["first_day"]) == (12345, 4321, 45, "2026-01-05")


def test_definitions_are_shown_as_they_were_written() -> None:
    common = {"id": "x", "name": "X", "owner": "a@example.com"}
    flag = Flag.model_validate(
        common
        | {
            "type": "boolean",
            "default": True,
            "targeting": {"segment": "na"},
            "overrides": {"user_1": True},
            "depends_on": [{"flag": "y", "value": 1}],
        }
    )
    view = flag_view(flag, {"na": "North America"})
    # A boolean flag without a value turns its default round.
    assert (view.served, view.default, view.targeting) == (False, True, "in “North America”")
    assert (view.overrides, view.depends_on) == (1, [("y", 1)])
    behaving = Segment.model_validate({"id": "b", "name": "B", "behaviour": {"days": 7, "all": [{"gte": 3}]}})
    size = {"first_day": site_world.START, "units": 9, "inside": 4, "unknown": 1}
    seen = segment_view(behaving, {}, size)
    assert (seen.condition, seen.units, seen.inside) == ("in the last 7 days: at least 3 events", 9, 4)
