"""Every page that a run publishes, dbt's and Great Expectations' own too, opened from disk as a stakeholder does."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.integration

CHROMIUM = shutil.which("chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
def test_every_page_is_quiet_and_stays_in_its_folder(small: Path) -> None:
    playwright = pytest.importorskip("playwright.sync_api")
    site = (small / "site" / "current").resolve()
    pages = [*site.glob("*.html"), *site.glob("experiments/*.html"), *site.glob("*/index.html")]
    assert {"index.html", "new.html", "plan.html", "quality.html"} <= {page.name for page in pages}
    complaints: list[tuple[str, str]] = []
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for path in pages:
            name = str(path.relative_to(site))
            page = browser.new_page()
            page.on(
                "console",
                lambda said, name=name: (
                    complaints.append((name, said.text)) if said.type == "error" else None
                ),
            )
            page.on("pageerror", lambda error, name=name: complaints.append((name, str(error))))
            page.on(
                "request",
                lambda asked, name=name: (
                    None
                    if asked.url.startswith((site.as_uri(), "data:", "blob:"))
                    else complaints.append((name, asked.url))
                ),
            )
            page.goto(path.as_uri())
            page.wait_for_timeout(300)
            page.close()
        browser.close()
    assert complaints == []
