from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import polars as pl
import pytest
from tests.unit.scorecards import site_world

from fairsplit.analysis.scorecards import render_site
from fairsplit.analysis.scorecards.site import safe_name

VOID = {"meta", "link", "img", "input", "br"}


class Reader(HTMLParser):
    """Visible words in order, and the tags with their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._skip = 0

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag in {"script", "style", "title"}:
            self._skip += 1

    def handle_endtag(self, tag):
        if tag in {"script", "style", "title"}:
            self._skip -= 1

    def handle_data(self, data):
        if not self._skip:
            self.words += data.split()


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    return reader


@cache
def pages() -> dict[str, str]:
    return {page.path: page.content for page in render_site(site_world.demo().inputs())}


def first_words(path: str) -> str:
    """The first words of the page itself, behind the site's navigation."""
    return " ".join(read(pages()[path].partition("<main")[2]).words[1:21])


@pytest.mark.parametrize(
    ("experiment", "verdict", "validity"),
    [
        ("checkout_cta", "Red wins.", "Valid: all 6 checks pass."),
        ("price_page", "Red loses.", "Valid: all 6 checks pass."),
        ("search_rank", "Keep running.", "Valid: all 6 checks pass."),
        ("srm_world", "No verdict.", "Not valid: sample ratio fails."),
        ("warned", "Extend: not yet clear.", "Valid, with 2 warnings."),
    ],
)
def test_twenty_words_hold_verdict_effect_interval_and_validity(experiment, verdict, validity):
    words = first_words(f"experiments/{experiment}.html")
    assert verdict in words
    assert validity in words
    if verdict == "No verdict.":
        assert "No effect is shown" in words
        return
    assert re.search(r"Checkout conversion [+−][\d.]+% \(95% interval [+−]?[\d.]+% to [+−]?[\d.]+%\)", words)


def test_an_invalid_experiment_names_no_winner():
    words = first_words("experiments/srm_world.html")
    assert "wins" not in words
    assert not re.search(r"\d%", words)


def test_pages_without_numbers_say_why():
    assert "Not started. No effect can be measured." in first_words("experiments/no_data.html")
    too_early = first_words("experiments/too_early.html")
    assert "Too early to tell. Checkout conversion: no unit's window has closed yet." in too_early
    assert (
        "Not computed: no unit&#39;s window has closed yet. 120 units, 120 windows open."
        in (pages()["experiments/too_early.html"])
    )


def test_a_broken_definition_has_a_page_with_its_problems():
    (path,) = [path for path in pages() if path.startswith("experiments/failed-")]
    assert "weights do not sum to 1" in pages()[path]
    assert "raise the weight of &#39;red&#39; to 0.5" in pages()[path]
    assert f'href="{path}"' in pages()["index.html"]


def test_numbers_on_the_page_equal_the_result_rows():
    world = site_world.demo()
    experiment = "checkout_cta"
    newest = {
        (row["metric"], row["variant_id"], row["segment"], row["segment_level"]): row
        for row in world.rows
        if row["experiment_id"] == experiment
        and row["cut_off"] == site_world.CUT_OFF
        and row["comparison"] is not None
    }
    reader = read(pages()[f"experiments/{experiment}.html"])
    shown = [attrs for tag, attrs in reader.tags if tag == "tr" and "data-metric" in attrs]
    assert len(shown) == len(newest) == 4 + 6
    for attrs in shown:
        row = newest[
            attrs["data-metric"], attrs["data-variant"], attrs["data-segment"], attrs.get("data-level", "all")
        ]
        for field in (
            "n",
            "mean",
            "lift_abs",
            "lift_rel",
            "lift_rel_low",
            "seq_rel_high",
            "p_value",
            "p_adjusted",
        ):
            assert float(attrs["data-" + field.replace("_", "-")]) == row[field]


def test_the_text_beside_a_number_is_the_number():
    (row,) = [
        row
        for row in site_world.demo().rows
        if row["experiment_id"] == "checkout_cta"
        and row["cut_off"] == site_world.CUT_OFF
        and row["metric"] == "checkout_conversion"
        and row["segment"] == "all"
        and row["comparison"] is not None
    ]
    page = pages()["experiments/checkout_cta.html"]
    assert f"<b>+{100 * row['lift_rel']:.1f}%</b>" in page
    low, high = 100 * row["lift_rel_low"], 100 * row["lift_rel_high"]
    assert f"<small>+{low:.1f}% to +{high:.1f}%</small>" in page


def test_hostile_text_is_only_text():
    for path in ("experiments/hostile.html", "flags.html", "index.html"):
        reader = read(pages()[path])
        assert "<script>alert(1)</script>" not in pages()[path]
        assert not [attrs for tag, attrs in reader.tags if "onerror" in attrs or tag == "img"]
        scripts = [attrs for tag, attrs in reader.tags if tag == "script"]
        assert all("src" in attrs or attrs.get("type") == "application/json" for attrs in scripts)
        assert "{{7*7}}" in pages()[path]


def test_no_page_names_another_address():
    for path, text in pages().items():
        if path.endswith(".html"):
            for _, attrs in read(text).tags:
                for name in ("src", "href", "action"):
                    assert not re.match(r"(?:https?:)?//", attrs.get(name) or ""), path


def test_every_local_link_leads_to_a_page():
    for path, text in pages().items():
        if not path.endswith(".html"):
            continue
        ids = {attrs["id"] for _, attrs in read(text).tags if "id" in attrs}
        for _, attrs in read(text).tags:
            for target in filter(None, (attrs.get("href"), attrs.get("src"))):
                if target.startswith("data:"):
                    continue
                file, _, fragment = target.partition("#")
                if not file:
                    assert fragment in ids, (path, target)
                    continue
                parts: list[str] = []
                for part in [*Path(path).parent.parts, *file.split("/")]:
                    if part == "..":
                        parts.pop()
                    else:
                        parts.append(part)
                assert "/".join(parts) in {*pages(), "dbt/index.html"}, (path, target)


def test_metric_names_lead_to_their_description():
    assert (
        'href="../dbt/index.html#!/metric/metric.fairsplit.checkout_conversion"'
        in (pages()["experiments/checkout_cta.html"])
    )


def test_the_same_inputs_give_the_same_pages():
    again = {page.path: page.content for page in render_site(site_world.demo().inputs())}
    assert again == pages()


def test_a_scorecard_stays_small():
    sizes = {path: len(text.encode()) for path, text in pages().items() if path.startswith("experiments/")}
    assert max(sizes.values()) < 600_000, sizes


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b", "", "é", "a" * 200, ".hidden"])
def test_text_never_becomes_a_path(name):
    assert re.fullmatch(r"x-[0-9a-f]{16}", safe_name(name))


def test_every_count_of_the_data_page_is_the_sum_of_its_files():
    text = pages()["quality.html"]
    read_rows = sum(41000 + 97 * i for i in range(site_world.DAYS))
    assert f'data-total="{read_rows}">{read_rows:,}<' in text
    assert "Every row is accounted for" in text
    assert "28 days, without events: 22 Jan 2026." in text


def test_the_data_page_names_what_is_wrong_with_sources_and_files():
    """Case table-source-that-is-missing: hostile words of a file's name or the engine's are only text."""
    rows = {"subject": ["source orders (table shop.orders)"], "message": ['Catalog Error: <b>"shop"</b>']}
    inputs = replace(site_world.World().inputs(), landing_findings=pl.DataFrame(rows))
    text = {page.path: page.content for page in render_site(inputs)}["quality.html"]
    assert "source orders (table shop.orders)" in text
    assert "Catalog Error: &lt;b&gt;" in text
    assert "What needs a hand" not in pages()["quality.html"]


def test_a_proposal_names_the_command_that_accepts_it_and_anything_else_names_none():
    world = site_world.World()
    lifts = {"checkout_conversion": 0.05}
    world.add(site_world.experiment("proposed"), lifts, decision="win")
    world.add(site_world.experiment("silent"), lifts, decision="continue")
    world.add(site_world.experiment("over", status="completed", may_act=False), lifts, decision="win")
    world.add(site_world.experiment("automatic", stopping={"automatic": True}), lifts, decision="win")
    found = {page.path: page.content for page in render_site(world.inputs())}
    command = "fairsplit experiment accept"
    assert f"<code>{command} proposed --reason" in found["experiments/proposed.html"]
    assert not any(command in found[f"experiments/{name}.html"] for name in ("silent", "over", "automatic"))
