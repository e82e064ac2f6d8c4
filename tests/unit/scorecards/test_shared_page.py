"""A page that is sent as a file holds all that it needs, and leads nowhere."""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode

from tests.unit.scorecards import site_world
from tests.unit.scorecards.test_site_pages import read

from fairsplit.analysis.scorecards import render_site
from fairsplit.analysis.scorecards.sharing import self_contained


def shared(name: str) -> str:
    pages = {page.path: page.content for page in render_site(site_world.demo().inputs())}
    assets = {
        path.removeprefix("assets/"): text for path, text in pages.items() if path.startswith("assets/")
    }
    return self_contained(pages[f"experiments/{name}.html"], assets)


def test_a_shared_page_asks_for_nothing_and_keeps_its_words():
    text = shared("checkout_cta")
    reader = read(text)
    for tag, attrs in reader.tags:
        assert "src" not in attrs, tag
        target = attrs.get("href") or "#"
        assert target.startswith(("#", "data:")), target
    assert "Red wins." in " ".join(reader.words)
    assert "counted with the data" in text


def test_only_the_scripts_of_the_file_may_run():
    text = shared("hostile")
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy
    scripts = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    assert len(scripts) == 2
    for script in scripts:
        digest = b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy[1]
    assert "unsafe-inline" not in policy[1].partition("script-src")[2].partition(";")[0]
    assert site_world.HOSTILE not in text
