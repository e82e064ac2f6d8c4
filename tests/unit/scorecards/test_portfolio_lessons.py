from __future__ import annotations

import re

import pytest
from tests.unit.scorecards import site_world

from fairsplit.analysis.scorecards import portfolio, programme, render_site


def summaries(world: site_world.World) -> dict[str, portfolio.Summary]:
    """The lines that the site hands to the portfolio, by id."""
    found: list[portfolio.Summary] = []

    def keep(lines, *rows):
        found.extend(lines)
        return built(lines, *rows)

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
    world = site_world.demo()
    inputs = world.inputs()
    view = portfolio.build(
        list(summaries(world).values()),
        programme.figures_of(inputs.programme.to_dicts()),
        inputs.programme_experiments.to_dicts(),
    )
    (shipment,) = view.shipments
    (lesson,) = [line for line in view.lessons.lines if line.href == "experiments/checkout_cta.html"]
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
