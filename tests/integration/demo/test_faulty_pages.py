"""A metric that nobody knows, a torn file, an experiment that nobody saw: each page says so, no other suffers."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

import pytest

from orchestration.loading import read_definitions
from tests.command import ROOT, fairsplit

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.integration

SOUND = ("checkout_cta", "platform_check")


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("catalog")
    experiments = folder / "experiments"
    experiments.mkdir()
    shutil.copy(ROOT / "catalog" / "project.yaml", folder)
    for name in SOUND:
        shutil.copy(ROOT / "catalog" / "experiments" / f"{name}.yaml", experiments)
    text = (experiments / "platform_check.yaml").read_text()

    def variation(name: str, old: str, new: str) -> None:
        assert old in text
        (experiments / f"{name}.yaml").write_text(
            text.replace("id: platform_check", f"id: {name}").replace(old, new)
        )

    variation("unknown_metric", "primary: [checkout_conversion]", "primary: [chekout_conversion]")
    variation("torn", "  - {id: b}", "  - {id: b")
    variation("unseen", "tags: [platform]", "tags: [nobody]")
    return folder


@pytest.fixture(scope="module")
def pages(catalog: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The text of every experiment's page, by the page's name."""
    home = tmp_path_factory.mktemp("home")
    fairsplit(home, "simulate", "--users", "600", "--days", "6", "--output", str(home))
    fairsplit(home, "backfill", "2026-01-05", "2026-01-10", catalog=catalog)
    found = (home / "site" / "current" / "experiments").glob("*.html")
    return {
        page.stem: re.sub(r"<(style|script).*?</\1>|<[^>]*>", " ", page.read_text(), flags=re.DOTALL)
        for page in found
    }


def test_the_other_scorecards_are_complete(pages, catalog) -> None:
    experiments = read_definitions(catalog).catalogue.experiments
    for name in SOUND:
        for _, use in experiments[name].metric_uses:
            assert use.metric in pages[name], (name, use.metric)
        assert "no unit has been exposed" not in pages[name]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("failed-unknown_metric", ("chekout_conversion", "checkout_conversion")),
        ("failed-torn", ("not valid YAML", "torn.yaml:")),
        ("unseen", ("No data yet", "No unit has been exposed in the 5 days since the start")),
    ],
)
def test_a_faulty_page_says_what_is_wrong(pages, name: str, words: tuple[str, ...]) -> None:
    for word in words:
        assert word in pages[name], " ".join(pages[name].split())[:1500]
