from __future__ import annotations

import re

import numpy as np
import pytest
from scipy import stats
from tests.unit.scorecards import site_world

from fairsplit.analysis.scorecards import lessons, portfolio, render_site


def effects(values, error):
    return [lessons.Effect(f"e{i}", "x.html", "2026-01-05", float(v), error) for i, v in enumerate(values)]


def test_the_standard_error_is_the_one_the_interval_was_made_from():
    reach = stats.norm.isf(0.0125)
    row = {"lift_rel_low": 0.05 - reach * 0.013, "lift_rel_high": 0.05 + reach * 0.013, "ci_level": 0.975}
    assert lessons.standard_error(row) == pytest.approx(0.013, rel=1e-9)
    assert lessons.standard_error(row | {"lift_rel_high": float("inf")}) is None


def test_pure_noise_is_pulled_to_the_mean_and_clear_effects_are_not():
    rng = np.random.default_rng(5)
    noise = lessons.build(effects(rng.normal(0, 0.02, 60), 0.02))
    clear = lessons.build(effects(rng.normal(0, 0.2, 60), 0.001))

    def size(text: str) -> float:
        return abs(float(text.strip("%").replace("−", "-")))

    ratio_noise = sum(size(x.shrunken) for x in noise.lines) / sum(size(x.measured) for x in noise.lines)
    ratio_clear = sum(size(x.shrunken) for x in clear.lines) / sum(size(x.measured) for x in clear.lines)
    assert ratio_noise < 0.5
    assert ratio_clear > 0.98


def test_too_few_experiments_teach_nothing():
    assert lessons.build(effects([0.1, 0.2], 0.01)) is None


def summaries(world: site_world.World) -> dict[str, portfolio.Summary]:
    """The lines that the site hands to the portfolio, by id."""
    found: list[portfolio.Summary] = []

    def keep(lines):
        found.extend(lines)
        return built(lines)

    built = portfolio.build
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(portfolio, "build", keep)
        list(render_site(world.inputs()))
    return {summary.id: summary for summary in found}


def row_of(identity: str, metric: str = "checkout_conversion"):
    (row,) = [
        row
        for row in site_world.demo().rows
        if (row["experiment_id"], row["metric"], row["segment"]) == (identity, metric, "all")
        and row["cut_off"] == site_world.CUT_OFF
        and row["comparison"] is not None
    ]
    return row


def test_what_shipped_is_worth_what_the_portfolio_believes_of_it():
    lines = summaries(site_world.demo())
    view = portfolio.build(list(lines.values()))
    (shipment,) = view.shipments
    (lesson,) = [line for line in view.lessons.lines if line.effect.href == "experiments/checkout_cta.html"]
    row = row_of("checkout_cta")
    likely = float(lesson.shrunken.strip("+%"))
    assert shipment.shipment.arm == "Red"
    assert shipment.likely == lesson.shrunken
    # Of a share, 1,000 units times the control's share times the likely relative effect, to the digits shown.
    control = row["mean"] - row["lift_abs"]
    worth = float(shipment.worth.removesuffix(" units").strip("+"))
    assert worth == pytest.approx(1000 * control * likely / 100, rel=0.02)
    assert 0 < worth < 1000 * row["lift_abs"]


def test_days_to_the_planned_power_follow_from_the_information_so_far():
    world = site_world.World()
    world.add(site_world.experiment("price_page"), {"checkout_conversion": -0.06}, history=False)
    world.rows = [one | {"information_fraction": 0.4} if one["comparison"] else one for one in world.rows]
    # 28 days brought 0.4 of the information, so the other 0.6 takes 28 * 0.6 / 0.4 = 42 days.
    assert summaries(world)["price_page"].to_power == 42


def test_experiments_that_depend_on_one_another_are_named():
    world = site_world.demo()
    world.validity.append(
        world.validity[0]
        | {
            "experiment_id": "search_rank",
            "check": "overlap",
            "status": "warn",
            "sentence": "Shares price_page.",
        }
    )
    (index,) = [page.content for page in render_site(world.inputs()) if page.path == "index.html"]
    assert "Experiments that disturb one another" in index
    assert "Shares price_page." in index


def test_units_kept_run_from_landing_to_analysis():
    (page,) = [
        page.content
        for page in render_site(site_world.demo().inputs())
        if page.path == "experiments/checkout_cta.html"
    ]
    kept = page[page.index("Units kept, per arm") :]
    steps = re.findall(r'<tr><th scope="row">([^<]*)</th><td><span>', kept)[:4]
    assert steps == ["Landed, without duplicates", "Assigned to this arm", "Exposed", "Analysed"]
    assert f"<span>{int(24000 * 1.3):,}</span>" in kept
