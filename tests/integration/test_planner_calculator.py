"""The planner's calculator says what `fairsplit plan` says, in a real browser."""

from __future__ import annotations

import json
import random
import shlex
from importlib import resources
from typing import TYPE_CHECKING, Any

import pytest
from tests.integration.test_site_browser import browser
from tests.unit.scorecards import site_world
from typer.testing import CliRunner

from fairsplit.analysis.planning.baseline import LONGEST_DAYS, Baseline
from fairsplit.analysis.planning.calculator import ALPHAS, MOST_ARMS, POWERS, factors, grid
from fairsplit.analysis.planning.design import design
from fairsplit.analysis.planning.reading import share
from fairsplit.analysis.scorecards import render_site
from fairsplit.analysis.statistics.experiment_plan import METHODS, Setup
from fairsplit.orchestration.cli import app, plan
from fairsplit.orchestration.publishing.site import write_site

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.integration
__all__ = ["browser", "plan"]
NAMES = ("baseline", "sd", "effect", "power", "alpha", "method", "arms", "correlation", "daily", "window")
ASK = """cases => cases.map(given => {
  const form = document.getElementById('calculator');
  for (const [name, value] of Object.entries(given)) form.elements[name].value = value;
  form.dispatchEvent(new Event('input'));
  const said = name => document.getElementById('calc-' + name).textContent;
  return Object.fromEntries(['control', 'arm', 'total', 'expected', 'days', 'wrong', 'command'].map(n => [n, said(n)]));
})"""


@pytest.fixture(scope="module")
def planner(browser, tmp_path_factory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("site")
    index = write_site(folder, render_site(site_world.demo().inputs())).index
    page = browser.new_page()
    page.goto(f"{index.parent.as_uri()}/plan.html")
    yield page
    page.context.close()


def cases(count: int, seed: int = 7) -> list[dict[str, str]]:
    """Answers as people type them: rates and means of every size, of either sign, falls and rises."""
    rng = random.Random(seed)  # noqa: S311 - reproducible cases
    made = []
    while len(made) < count:
        rate = rng.random() < 0.5
        value = rng.choice([f"{rng.uniform(0.1, 60):.2f}%", f"{rng.uniform(0.001, 0.6):.4g}"])
        size = 10 ** rng.uniform(-2, 4)
        mean = f"{rng.choice([-1, 1]) * size:.5g}"
        effect = rng.choice([f"{rng.uniform(0.5, 40):.2f}%", f"-{rng.uniform(0.5, 40):.1f}%", ".05"])
        made.append(
            {
                "baseline": value if rate else mean,
                "sd": "" if rate else f"{size * 10 ** rng.uniform(-1, 2):.5g}",
                "effect": effect,
                "power": str(rng.choice(POWERS)),
                "alpha": str(rng.choice(ALPHAS)),
                "method": rng.choice(METHODS),
                "arms": str(rng.randint(1, MOST_ARMS)),
                "correlation": rng.choice(["", "", f"{rng.uniform(0.05, 0.95):.3f}"]),
                "daily": rng.choice(["", f"{rng.randint(1, 50_000)}"]),
                "window": str(rng.choice([0, 1, 7, 14])),
            }
        )
    return made


def planned(given: dict[str, str]) -> dict[str, str]:
    mean = share(given["baseline"], "baseline")
    sd = float(given["sd"]) if given["sd"] else None
    base = Baseline(
        "",
        binary=sd is None,
        mean=mean,
        variance=mean * (1 - mean) if sd is None else sd**2,
        correlation=float(given["correlation"] or 0),
        window_days=float(given["window"]),
        forecast=(float(given["daily"]),) * LONGEST_DAYS if given["daily"] else (),
    )
    setup = Setup(
        alpha=float(given["alpha"]),
        power=float(given["power"]),
        method=given["method"],
        arms=int(given["arms"]),
    )
    found = design(base, share(given["effect"], "effect"), setup)
    days = "–" if not given["daily"] else f"over {LONGEST_DAYS}" if found.days is None else f"{found.days:,}"
    return {name: f"{getattr(found, name):,}" for name in ("control", "arm", "total", "expected")} | {
        "days": days
    }


def test_five_hundred_plans_are_those_of_the_planner(planner):
    asked = cases(500)
    said = planner.evaluate(ASK, asked)
    for given, answer in zip(asked, said, strict=True):
        assert answer["wrong"] == "", given
        assert {name: answer[name] for name in ("control", "arm", "total", "expected", "days")} == planned(
            given
        ), given


def test_the_command_that_is_shown_says_the_same(planner):
    asked = [case for case in cases(40, seed=11) if case["daily"]][:6]
    for answer in planner.evaluate(ASK, asked):
        words = shlex.split(answer["command"])
        done = CliRunner().invoke(app, [*words[1:], "--format", "json"])
        assert done.exit_code == 0, (answer["command"], done.output)
        (found,) = json.loads(done.output)["designs"]
        shown = {name: int(answer[name].replace(",", "")) for name in ("control", "arm", "total", "expected")}
        assert shown == {name: found[name] for name in shown}
        assert answer["days"] == (f"over {LONGEST_DAYS}" if found["days"] is None else f"{found['days']:,}")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"baseline": "1.2"}, "a rate lies between 0 and 1"),
        ({"baseline": "often"}, "a number such as"),
        ({"effect": "0"}, "not 0"),
        ({"baseline": "90%", "effect": "20%"}, "no rate can change by so much"),
        ({"baseline": "0", "sd": "2"}, "no relative effect"),
        ({"sd": "-1"}, "above 0"),
        ({"daily": "-3"}, "0 or more"),
        ({"correlation": "1"}, "between 0 and 1"),
    ],
)
def test_what_cannot_be_planned_is_told_and_computes_nothing(planner, changed, words):
    plain = dict(zip(NAMES, ("10%", "", "5%", "0.8", "0.05", "fixed", "1", "", "", "7"), strict=True))
    (answer,) = planner.evaluate(ASK, [plain | changed])
    assert words in answer["wrong"]
    assert {answer[name] for name in ("control", "arm", "total", "expected", "days")} == {"–"}
    assert answer["command"] == ""


def test_a_metric_fills_the_form(planner):
    planner.select_option("#calculator [name=metric]", "error_rate")
    assert planner.input_value("#calculator [name=effect]") == "-5%"
    assert planner.input_value("#calculator [name=sd]") == ""
    planner.select_option("#calculator [name=metric]", "revenue_per_user")
    assert float(planner.input_value("#calculator [name=sd]")) == pytest.approx(11.0, rel=1e-4)
    assert planner.inner_text("#calc-total") != "–"


def test_the_grid_that_the_page_carries_is_what_the_planner_computes():
    """To renew it, write `json.dumps(grid(), separators=(",", ":"))` and a newline to the file."""
    kept = json.loads(
        (resources.files("fairsplit.analysis.scorecards") / "assets" / "plan_grid.json").read_text()
    )
    assert (kept["alphas"], kept["powers"], kept["methods"]) == (list(ALPHAS), list(POWERS), list(METHODS))
    assert len(kept["reach_alpha"]) == MOST_ARMS
    assert grid.__doc__
    cells, rng = [], random.Random(3)  # noqa: S311
    for method in METHODS:
        for _ in range(2):
            arms, alpha, power = rng.randint(1, MOST_ARMS), rng.choice(ALPHAS), rng.choice(POWERS)
            place = METHODS.index(method) * MOST_ARMS + arms - 1
            place = (place * len(ALPHAS) + ALPHAS.index(alpha)) * len(POWERS) + POWERS.index(power)
            cells.append((kept["factors"][place], factors(method, arms, alpha, power)))
    for known, computed in cells:
        assert known == pytest.approx(computed, rel=1e-12)
