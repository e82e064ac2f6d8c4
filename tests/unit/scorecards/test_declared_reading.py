"""A page shows what the verdict rests on: the declared analysis, at the look that decided."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest
from tests.unit.scorecards import site_world
from tests.unit.scorecards.test_site_pages import read

from fairsplit.analysis.scorecards import PlanView, render_site

READ_ON = site_world.CUT_OFF - dt.timedelta(days=5)


def shown_rows(world: site_world.World, **extra) -> list[dict[str, str]]:
    pages = {page.path: page.content for page in render_site(world.inputs(**extra))}
    return [
        attrs for tag, attrs in read(pages["experiments/one.html"]).tags if tag == "tr" and "data-n" in attrs
    ]


def test_a_plan_that_is_read_once_shows_the_day_it_was_read():
    world = site_world.World()
    view = site_world.experiment("one", plan=PlanView("fixed"), read_on=READ_ON)
    world.add(view, {"checkout_conversion": 0.05}, decision="win")
    expected = {
        row["metric"]: row["lift_rel"]
        for row in world.rows
        if row["cut_off"] == READ_ON and row["comparison"] is not None and row["segment"] == "all"
    }
    shown = {attrs["data-metric"]: float(attrs["data-lift-rel"]) for attrs in shown_rows(world)}
    assert shown == expected


def test_the_declared_analysis_stands_first_and_the_other_beside_it():
    world = site_world.World()
    world.add(site_world.experiment("one", analysis="crossovers_excluded"), {}, history=False, segments=False)
    world.rows += [row | {"analysis": "crossovers_excluded", "n": row["n"] - 100} for row in list(world.rows)]
    shown = shown_rows(world)
    main = [attrs for attrs in shown if "data-analysis" not in attrs]
    (beside,) = (attrs for attrs in shown if "data-analysis" in attrs)
    assert {int(attrs["data-n"]) for attrs in main} == {23900}
    assert (beside["data-analysis"], int(beside["data-n"])) == ("default", 24000)


def test_what_is_known_later_than_the_cut_off_is_left_out():
    world = site_world.World()
    world.add(site_world.experiment("one"), {"checkout_conversion": 0.05})
    inputs = world.inputs(cut_off=READ_ON)
    pages = {page.path: page.content for page in render_site(inputs)}
    newest = {
        row["lift_rel"]
        for row in world.rows
        if row["cut_off"] == READ_ON and row["comparison"] is not None and row["segment"] == "all"
    }
    found = {
        float(attrs["data-lift-rel"])
        for tag, attrs in read(pages["experiments/one.html"]).tags
        if tag == "tr" and "data-lift-rel" in attrs
    }
    assert found == newest
    exposed = inputs.daily_exposures.filter(pl.col("exposure_day") <= READ_ON)["units"].sum()
    assert f"<dd>{exposed:,}</dd>" in pages["experiments/one.html"]


@pytest.mark.parametrize(
    ("crossed", "state"), [(True, "on: bound crossed"), (False, "on: bound not crossed")]
)
def test_stopping_rules_say_their_state(crossed, state):
    world = site_world.World()
    view = site_world.experiment(
        "one", stopping={"efficacy": True, "harm": False}, plan=PlanView(min_sample=30_000)
    )
    world.add(view, {"checkout_conversion": 0.5}, history=False, segments=False)
    world.rows = [row | {"seq_crossed": crossed if row["comparison"] else None} for row in world.rows]
    pages = {page.path: page.content for page in render_site(world.inputs())}
    assert f"<dt>Rule: efficacy</dt><dd>{state}</dd>" in pages["experiments/one.html"]
    assert "<dd>30,000 per arm: not reached, smallest arm has 24,000</dd>" in pages["experiments/one.html"]
    assert "<dt>Rule: harm</dt><dd>off</dd>" in pages["experiments/one.html"]


@pytest.mark.parametrize(("reasons", "state"), [(["futile"], "on: met"), (["collecting"], "on: not met")])
def test_the_futility_rule_says_whether_it_has_spoken(reasons, state):
    world = site_world.World()
    world.add(site_world.experiment("one", stopping={"futility": True}), {"checkout_conversion": 0.5})
    world.decisions = [row | {"reasons": reasons} for row in world.decisions]
    pages = {page.path: page.content for page in render_site(world.inputs())}
    assert f"<dt>Rule: futility</dt><dd>{state}</dd>" in pages["experiments/one.html"]


@pytest.mark.parametrize("method", ["bayesian", "fixed"])
def test_the_credible_interval_stands_beside_the_chance_to_beat_control(method):
    world = site_world.World()
    view = site_world.experiment("one", plan=PlanView(method))
    world.add(view, {"checkout_conversion": 0.05}, history=False, segments=False)
    if method == "bayesian":
        ends = {"credible_low": 0.0012, "credible_high": 0.0088}
        world.rows = [row | (ends if row["comparison"] else {}) for row in world.rows]
    pages = {page.path: page.content for page in render_site(world.inputs())}
    section = pages["experiments/one.html"].partition('id="bayes"')[2].partition("</section>")[0]
    assert ("Credible interval" in section) == (method == "bayesian")
    assert ("0.12" in section and "0.88" in section) == (method == "bayesian")
