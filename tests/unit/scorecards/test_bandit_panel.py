"""What a bandit's page says of its weights, with sums that can be done by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

import jsonschema
import polars as pl
import pytest
from tests.unit.scorecards import site_world

from fairsplit.analysis.judgement import ALLOCATIONS, DECISIONS
from fairsplit.analysis.scorecards import render_site
from fairsplit.analysis.scorecards.bandits import bandit_panel

FIRST, SECOND = date(2026, 1, 17), date(2026, 1, 18)
VIEW = site_world.experiment("tiles", name="Tiles")
ARMS = [arm.id for arm in VIEW.arms]


@pytest.fixture
def allocations() -> list[dict]:
    shares = {FIRST: (0.5, 0.5), SECOND: (0.2, 0.8)}
    following = {FIRST: (None, None), SECOND: (0.05, 0.95)}
    return [
        {
            "experiment_id": "tiles",
            "cut_off": day,
            "position": place,
            "variant_id": arm,
            "metric": "checkout_conversion",
            "n": (300, 700)[place],
            "mean": 0.1,
            "weight": shares[day][place],
            "p_best": (0.1, 0.9)[place],
            "next_weight": following[day][place],
            "is_best": False,
            "reason": "not_due" if day == FIRST else None,
        }
        for day in (FIRST, SECOND)
        for place, arm in enumerate(ARMS)
    ]


def panel(allocations: list[dict], *, valid: bool = True):
    metric = {"metric": "checkout_conversion"}
    current = [
        metric | {"variant_id": ARMS[0], "comparison": None, "lift_abs": None},
        metric | {"variant_id": ARMS[1], "comparison": ARMS[0], "lift_abs": 0.05},
    ]
    return bandit_panel(VIEW, site_world.METRICS, allocations, current, valid=valid)


def test_weights_chances_and_earnings(allocations):
    shown = panel(allocations)
    assert [list(shares) for _, shares in shown.weights] == [["50.0%", "50.0%"], ["20.0%", "80.0%"]]
    assert list(shown.following) == ["5.00%", "95.0%"]
    # 700 units instead of 500 in the arm that is 0.05 better: 10 more. All 1,000 instead of 500: 25 more.
    assert "by about +10 over 1,000 units" in shown.earned[0]
    assert "it would be about +25: learning" in shown.earned[1]


def test_through_a_closed_gate_only_the_weights_are_told(allocations):
    shown = panel(allocations, valid=False)
    assert len(shown.weights) == 2
    assert (list(shown.chances), list(shown.following), list(shown.earned)) == ([], [], [])


def test_nothing_stands_on_the_page_of_another_experiment():
    assert panel([]) is None


def test_the_page_shows_the_panel(allocations):
    world = site_world.World()
    world.add(VIEW, {"checkout_conversion": 0.05})
    inputs = replace(world.inputs(), allocations=pl.DataFrame(allocations, schema=dict(ALLOCATIONS)))
    (page,) = [page.content for page in render_site(inputs) if page.path == "experiments/tiles.html"]
    assert "How the weights moved" in page
    assert '<a href="#weights">Weights</a>' in page
    assert "Beside equal shares, moving them has changed the sum of checkout conversion by about" in page


def answer(allocations: list[dict], decisions: list[dict]):
    world = site_world.World()
    world.add(VIEW, {"checkout_conversion": 0.05})
    inputs = replace(
        world.inputs(),
        allocations=pl.DataFrame(allocations, schema=dict(ALLOCATIONS)),
        decisions=pl.DataFrame(decisions, schema=dict(DECISIONS)),
    )
    files = {page.path: page.content for page in render_site(inputs) if page.path.startswith("api/")}
    found = json.loads(files["api/experiments/tiles/allocations.json"])
    document = json.loads(files["api/openapi.json"])
    schema = {"$ref": "#/components/schemas/Allocations", "components": document["components"]}
    jsonschema.Draft202012Validator(schema).validate(found)
    return found["allocations"]


def said(day: date, action: str) -> dict:
    return {"experiment_id": "tiles", "cut_off": day, "decision": "modify", "action": action, "reasons": []}


def test_the_api_tells_every_cut_off(allocations):
    first, second = answer(allocations, [said(FIRST, "wait"), said(SECOND, "set_weights")])
    assert (first["cut_off"], first["reason"], second["reason"]) == ("2026-01-17", "not_due", None)
    assert [arm["weight"] for arm in second["variants"]] == [0.2, 0.8]
    assert second["variants"][1] == {
        "variant": ARMS[1],
        "sample_size": 700,
        "mean_value": 0.1,
        "weight": 0.8,
        "probability_best": 0.9,
        "next_weight": 0.95,
        "is_best": False,
    }


def test_the_api_tells_the_weights_alone_through_a_closed_gate(allocations):
    won = [row | {"is_best": True} for row in allocations]
    first, second = answer(won, [said(FIRST, "wait"), said(SECOND, "fix_data")])
    assert first["variants"][1]["probability_best"] == 0.9
    assert (second["reason"], second["variants"][1]["weight"]) == ("gate_closed", 0.8)
    hidden = ("mean_value", "probability_best", "next_weight")
    assert {arm[name] for arm in second["variants"] for name in hidden} == {None}
    assert not any(arm["is_best"] for arm in second["variants"])


def test_the_api_has_nothing_to_tell_of_another_experiment():
    assert answer([], []) == []
