"""The site as a reader's browser sees it, opened from disk."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from tests.pages import DRAWN, until
from tests.unit.scorecards import site_world
from tests.unit.scorecards.test_interactions_page import with_pairs

from fairsplit.analysis.catalogue.drafting import draft_yaml
from fairsplit.analysis.scorecards import ExperimentMetric, render_site
from fairsplit.orchestration.catalogue.loading import read_definitions
from fairsplit.orchestration.project import PROJECT_ROOT
from fairsplit.orchestration.publishing.site import write_site

pytestmark = pytest.mark.integration
CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
HOSTILE_ANSWER = 'He said "x": {a} # \\ [b] naïve'
WIDTHS = (380, 1280, 1920)
PAGES = [
    "index",
    "programme",
    "flags",
    "quality",
    "plan",
    "interactions",
    "new",
    *(
        f"experiments/{name}"
        for name in (
            "checkout_cta",
            "srm_world",
            "fourteen_arms",
            "sixty_metrics",
            "hostile",
            "long_name",
            "no_data",
            "too_early",
            "factorial",
        )
    ),
]
#: Pages that have every colour between them.
COLOURED = [
    "index",
    "programme",
    "quality",
    "interactions",
    "experiments/checkout_cta",
    "experiments/srm_world",
]
#: The planner has a section for each of 64 metrics: the first is audited for all.
ONCE = {
    "include": [["html"]],
    "exclude": [["section[data-metric] ~ section[data-metric]"], ["tbody tr:nth-child(n+12)"]],
}
#: One page of each kind, and of experiments those whose parts differ.
AUDITED = [
    "index",
    "programme",
    "flags",
    "quality",
    "plan",
    "new",
    "experiments/checkout_cta",
    "experiments/srm_world",
    "experiments/factorial",
    "experiments/too_early",
    "interactions",
]
NEXT = """() => [...document.querySelectorAll('.plot')].find(plot => !plot.dataset.drawn)
  ?.scrollIntoView({behavior: 'instant', block: 'center'})"""
SCROLL = """async () => {
  for (let y = 0; y < document.body.scrollHeight; y += 700) {
    scrollTo({top: y, behavior: 'instant'});
    await new Promise(resolve => setTimeout(resolve, 20));
  }
}"""
FILTER = """() => {
  const box = document.getElementById('q');
  const start = performance.now();
  box.value = 'number 77';
  box.dispatchEvent(new Event('input'));
  document.body.getBoundingClientRect();
  return performance.now() - start;
}"""


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    docs = tmp_path_factory.mktemp("docs")
    (docs / "index.html").write_text("<title>docs</title>")
    return write_site(folder, render_site(with_pairs()), {"dbt": docs}).index.parent


@pytest.fixture
def open_page(browser, site):
    """Opens a page and afterwards asserts that it was quiet and asked for nothing outside the folder."""
    contexts, complaints = [], []

    def opened(name: str, scheme: str = "light", folder: Path = site):
        context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        allowed = (folder.as_uri(), folder.resolve().as_uri(), "data:")
        page.on("request", lambda asked: asked.url.startswith(allowed) or complaints.append(asked.url))
        page.goto(f"{folder.as_uri()}/{name}.html")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not complaints


def _draw(page) -> None:
    page.evaluate(SCROLL)
    # Charts are drawn when they come near the window; a page that grows meanwhile pushes some out of the way.
    until(page, DRAWN, NEXT)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_quiet_and_fits_every_width(open_page, name, scheme, tmp_path):
    page = open_page(name, scheme)
    _draw(page)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_timeout(200)
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, width
        page.screenshot(path=tmp_path / f"{name.replace('/', '-')}-{width}-{scheme}.png")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_broken_definition_fits_every_width(open_page, site, scheme, tmp_path):
    (path,) = (site / "experiments").glob("failed-*.html")
    page = open_page(f"experiments/{path.stem}", scheme)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, width
        page.screenshot(path=tmp_path / f"failed-{width}-{scheme}.png")


def test_files_are_filtered_and_turned(open_page, tmp_path):
    accounts = site_world.demo().inputs().file_accounts
    many = pl.concat(
        [
            accounts.with_columns(path=pl.format("{}-{}", pl.lit(year), "path"))
            for year in (2023, 2024, 2025, 2026)
        ]
    )
    index = write_site(tmp_path, render_site(site_world.World().inputs(file_accounts=many))).index
    page = open_page("quality", folder=index.parent)
    names = "[...document.querySelectorAll('#files tbody th')].map(cell => cell.textContent)"
    assert page.inner_text("#file-shown") == "1 to 50 of 112"
    first = page.evaluate(names)
    page.click("#file-on")
    page.click("#file-on")
    assert page.inner_text("#file-shown") == "101 to 112 of 112"
    assert page.is_disabled("#file-on")
    page.fill("#file-q", "2024 01-17")
    assert page.evaluate(names) == ["2024-events-2026-01-17.ndjson.gz"]
    read = int(many.filter(pl.col("path") == "2024-events-2026-01-17.ndjson.gz")["rows_read"][0])
    assert page.get_attribute("#files tbody td[data-rows-read]", "data-rows-read") == str(read)
    page.select_option("#file-rows", "wrong")
    assert page.inner_text("#file-shown") == "none"
    page.select_option("#file-rows", "")
    page.fill("#file-q", "")
    assert page.evaluate(names) == first


def test_the_archive_is_searched_by_hypothesis(open_page):
    page = open_page("programme")
    shown = "[...document.querySelectorAll('#entries li')].filter(item => !item.hidden).length"
    every = page.evaluate(shown)
    page.fill("#archive-q", "red BUTTON raises price")
    assert page.evaluate(shown) == 1
    page.fill("#archive-q", "no such hypothesis")
    assert page.evaluate(shown) == 0
    page.fill("#archive-q", "")
    page.select_option("#archive-outcome", "Lost")
    assert page.evaluate(shown) == 1 < every


def test_hostile_text_shows_and_does_not_run(open_page):
    page = open_page("experiments/hostile")
    assert site_world.HOSTILE[:40] in page.inner_text("#name")
    assert page.evaluate("document.querySelectorAll('main img, main script:not([type])').length") == 0


@pytest.mark.parametrize("seen", ["light", "dark", "print"])
def test_no_barrier_is_found(open_page, site, seen):
    """By axe, on every kind of page, with every part open; one browser page for all, since each audit is long."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page = open_page("index", "light" if seen == "print" else seen)
    page.emulate_media(media="print" if seen == "print" else "screen")
    # What is there is the same in all three; only colours and what is hidden differ.
    options = {"preload": False} | ({} if seen == "light" else {"runOnly": ["color-contrast"]})
    found = {}
    for name in AUDITED if seen == "light" else COLOURED:
        page.goto(f"{site.as_uri()}/{name}.html")
        # Six of a kind are enough: the planner has a table for each metric.
        page.evaluate(
            "[...document.querySelectorAll('details')].slice(0, 6).forEach(p => { p.open = true; })"
        )
        if name == "experiments/checkout_cta":
            page.evaluate("dispatchEvent(new Event('beforeprint'))")
            until(page, DRAWN)
        # The audit's script is given to the page by the driver, outside the page's own policy.
        for item in axe.Axe().run(page, context=ONCE, options=options).response["violations"]:
            found[name, item["id"]] = [node["html"][:120] for node in item["nodes"][:3]]
    assert not found


def test_filters_and_sorting_work_together(open_page):
    page = open_page("index")
    shown = (
        "[...document.querySelectorAll('#portfolio tbody tr')].filter(r => !r.hidden).map(r => r.dataset.id)"
    )
    assert "put_away" not in page.evaluate(shown)
    page.select_option("#f-status", "archived")
    assert page.evaluate(shown) == ["put_away"]
    page.select_option("#f-status", "")
    page.select_option("#f-worst", "fail")
    assert set(page.evaluate(shown)) == {"srm_world", "broken_weights.yaml"}
    page.fill("#q", "onboarding")
    assert page.evaluate(shown) == ["srm_world"]
    page.fill("#q", "no such thing")
    assert page.is_visible("#nothing")
    page.fill("#q", "")
    page.select_option("#f-worst", "")
    page.click("[data-sort=units]")
    units = page.evaluate(
        "[...document.querySelectorAll('#portfolio tbody tr')].map(r => Number(r.dataset.units))"
    )
    assert units == sorted(units, reverse=True)


def test_the_address_keeps_what_the_index_is_asked(open_page):
    page = open_page("index")
    page.select_option("#f-worst", "fail")
    page.fill("#q", "onboarding")
    page.click("[data-sort=units]")
    asked = page.evaluate("location.hash")
    assert set(asked.removeprefix("#").split("&")) == {"q=onboarding", "worst=fail", "sort=-units"}
    again = open_page("index")
    again.goto(again.url.partition("#")[0] + asked)
    until(again, "document.getElementById('q').value === 'onboarding'")
    shown = (
        "[...document.querySelectorAll('#portfolio tbody tr')].filter(r => !r.hidden).map(r => r.dataset.id)"
    )
    assert again.evaluate(shown) == ["srm_world"]
    assert again.get_attribute("[data-sort=units]", "aria-sort") == "descending"
    again.keyboard.press("Tab")
    assert again.evaluate("document.activeElement.className") == "skip"


def test_a_thousand_experiments_filter_at_once(open_page, tmp_path):
    world = site_world.World()
    for number in range(1000):
        view = site_world.experiment(
            f"exp_{number:04d}",
            name=f"Experiment number {number}",
            metrics=[ExperimentMetric("checkout_conversion", "primary")],
        )
        world.add(view, {"checkout_conversion": 0.02}, history=False, segments=False, around=False)
    index = write_site(tmp_path, render_site(world.inputs())).index
    page = open_page("index", folder=index.parent)
    assert min(page.evaluate(FILTER) for _ in range(3)) < 100
    assert page.inner_text("#shown") == "19 of 1,000"
    standing = "[...document.querySelectorAll('#portfolio tbody tr')].filter(row => !row.hidden).length"
    assert page.evaluate(standing) == 19
    page.fill("#q", "")
    assert page.inner_text("#shown") == "1,000 of 1,000"
    assert page.evaluate(standing) == 100, "what is laid out at first"
    page.click("[data-sort=name]")
    page.click("[data-sort=name]")
    last = "document.querySelector('#portfolio tbody tr:not([hidden])').dataset.id"
    assert page.evaluate(last) == "exp_0999", "the first hundred of what is sorted"
    page.click("#more")
    assert page.evaluate(standing) == 1000
    # What the browser does before it can be used, apart from how busy the machine is: 100 rows laid out, not 1,000.
    assert index.read_text().count(" hidden data-name") == 900


def test_prints_with_its_charts(open_page, tmp_path):
    page = open_page("experiments/checkout_cta")
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    until(page, DRAWN)
    assert page.evaluate("document.querySelectorAll('.plot svg').length") == 2
    page.pdf(path=tmp_path / "card.pdf")
    assert (tmp_path / "card.pdf").stat().st_size > 20_000


def test_flags_fit_on_paper(open_page):
    page = open_page("flags")
    page.set_viewport_size({"width": 718, "height": 1000})  # what A4 leaves between its margins
    page.emulate_media(media="print")
    parts = page.evaluate(
        "[...document.querySelectorAll('.scroll')].map(part => part.scrollWidth - part.clientWidth)"
    )
    assert parts == [0, 0]


def test_flags_are_read_with_the_keyboard(open_page):
    page = open_page("flags")
    page.set_viewport_size({"width": 380, "height": 900})
    page.focus("[aria-label='Feature flags']")
    page.keyboard.press("ArrowRight")
    until(page, "document.querySelector(\"[aria-label='Feature flags']\").scrollLeft > 0")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('href')") == "experiments/checkout_cta.html"


@pytest.fixture
def catalog(tmp_path, monkeypatch) -> Path:
    shutil.copy(PROJECT_ROOT / "catalog" / "project.yaml", tmp_path)
    (tmp_path / "experiments").mkdir()
    monkeypatch.setenv("FAIRSPLIT_CATALOG", str(tmp_path))
    return tmp_path / "experiments"


def test_the_form_saves_what_the_catalogue_accepts(open_page, browser, catalog):
    page = open_page("new")
    assert page.get_attribute("#save", "href") is None
    page.fill("[name=name]", HOSTILE_ANSWER)
    assert page.input_value("[name=id]") == "he_said_x_a_b_na_ve"
    page.fill("[name=id]", "checkout_cta")
    page.fill("[name=owner]", "growth@example.com")
    page.fill("[name=hypothesis]", "Two\nlines: # one")
    page.fill("[name=arms]", "control, blue, Green.2")
    page.fill("[name=start]", "2026-03-02")
    page.fill("[name=effect]", "2.5")
    page.select_option("[name=primary]", "checkout_conversion")
    page.check("[name=guardrail][value=error_rate]")
    assert page.is_disabled("[name=guardrail][value=checkout_conversion]")
    assert page.inner_text("#wrong") == "Id: taken by another experiment."
    page.fill("[name=id]", "hint")
    with page.expect_download() as saved:
        page.click("#save")
    assert saved.value.suggested_filename == "hint.yaml"
    saved.value.save_as(catalog / "hint.yaml")
    made = read_definitions().catalogue.experiments["hint"]
    assert (made.name, made.owner, made.status, made.type) == (
        HOSTILE_ANSWER,
        "growth@example.com",
        "draft",
        "abn",
    )
    assert made.hypothesis == "Two lines: # one"
    assert [(arm.id, arm.control) for arm in made.variants] == [
        ("control", True),
        ("blue", False),
        ("Green.2", False),
    ]
    assert made.metrics.primary[0].minimum_effect.relative == pytest.approx(0.025)
    assert [use.metric for use in made.metrics.guardrails] == ["error_rate"]
    by_command = draft_yaml(
        "hint",
        HOSTILE_ANSWER,
        owner="growth@example.com",
        hypothesis="Two lines: # one",
        start=date(2026, 3, 2),
        arms=["control", "blue", "Green.2"],
        primary="checkout_conversion",
        guardrails=["error_rate"],
        minimum_effect=0.025,
    )
    assert (catalog / "hint.yaml").read_text() == by_command


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("id", "Not a slug", "Id: lower-case letters, digits, _ and -."),
        ("arms", "only", "Arms: at least two, separated by commas."),
        ("arms", "a, a", "Arms: each name once."),
        ("arms", "a, b c", "Arms: letters, digits, _ . and -, at most 64."),
        ("effect", "0", "Effect: more than 0%."),
        ("start", "", "First day: a date."),
    ],
)
def test_the_form_says_what_is_wrong_and_saves_nothing(open_page, field, value, words):
    page = open_page("new")
    for name in ("name", "owner", "hypothesis"):
        page.fill(f"[name={name}]", "hint")
    assert page.get_attribute("#save", "download") == "hint.yaml"
    page.fill(f"[name={field}]", value)
    assert page.inner_text("#wrong") == words
    assert page.get_attribute("#save", "href") is None
