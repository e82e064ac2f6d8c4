"""`fairsplit share`: the file that is written opens anywhere, draws its charts and fits on three sheets of A4."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from tests.integration.test_site_browser import _draw, browser
from tests.pages import DRAWN, until
from tests.unit.scorecards import site_world
from typer.testing import CliRunner

from fairsplit.analysis.scorecards import render_site
from fairsplit.orchestration.cli import app, share
from fairsplit.orchestration.errors import OrchestrationError
from fairsplit.orchestration.publishing.site import show, write_site
from fairsplit.orchestration.publishing.site.share import shared_page

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.integration
__all__ = ["browser", "share"]


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    written = write_site(folder / "site", render_site(site_world.demo().inputs()))
    show(folder / "site", written.index.parent)
    return folder


@pytest.fixture
def shared(home, tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("FAIRSPLIT_HOME", str(home))
    target = tmp_path / "sent" / "card.html"
    target.parent.mkdir()
    done = CliRunner().invoke(app, ["share", "checkout_cta", "--output", str(target)])
    assert done.exit_code == 0, done.output
    assert done.output.strip() == str(target)
    return target


def test_the_file_opens_alone_and_draws(browser, shared):
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "request",
        lambda asked: asked.url.startswith(("data:", shared.as_uri())) or complaints.append(asked.url),
    )
    page.goto(shared.as_uri())
    _draw(page)
    assert page.inner_text("#verdict") == "Red wins."
    assert page.evaluate("document.querySelectorAll('.plot svg').length") == 2
    assert not complaints
    page.context.close()


def test_it_prints_on_at_most_three_sheets(browser, shared, tmp_path):
    page = browser.new_page()
    page.goto(shared.as_uri())
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    until(page, DRAWN)
    sheets = page.pdf(prefer_css_page_size=True, print_background=True)
    assert 1 <= len(re.findall(rb"/Type\s*/Page\b", sheets)) <= 3
    page.context.close()


def test_what_is_not_published_is_refused(home, tmp_path):
    with pytest.raises(OrchestrationError, match="no page of this experiment"):
        shared_page(home / "site", "../../etc/passwd")
    with pytest.raises(OrchestrationError, match="no site is published yet"):
        shared_page(tmp_path / "nothing", "checkout_cta")
