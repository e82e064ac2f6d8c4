"""A metric that nobody knows, a torn file, an experiment that nobody saw: each page says so, no other suffers."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

import pytest
from tests.built import built
from tests.command import ROOT, fairsplit

from fairsplit.orchestration.catalogue.loading import read_definitions

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.integration

SOUND = ("checkout_cta", "platform_check")


def faulty(place: Path) -> None:
    """A home and its catalogue: two sound experiments, an unknown metric, a torn file, one that nobody saw."""
    experiments = place / "catalog" / "experiments"
    experiments.mkdir(parents=True)
    shutil.copy(ROOT / "catalog" / "project.yaml", experiments.parent)
    for name in SOUND:
        shutil.copy(ROOT / "catalog" / "experiments" / f"{name}.yaml", experiments)
    text = (experiments / "platform_check.yaml").read_text()

    def variation(name: str, old: str, new: str) -> None:
        assert old in text
        (experiments / f"{name}.yaml").write_text(
            text.replace("id: platform_check", f"id: {name}").replace(old, new)
        )

    variation("unknown_metric", "primary: [checkout_conversion]", "primary: [chekout_conversion]")
    variation("torn", "{id: b, name: Platform B}", "{id: b, name: Platform B")
    variation("unseen", "tags: [platform]", "tags: [nobody]")
    fairsplit(place, "simulate", "--users", "600", "--days", "6", "--output", str(place))
    fairsplit(place, "backfill", "2026-01-05", "2026-01-10", catalog=place / "catalog")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory.mktemp("faulty") / "home", faulty)


@pytest.fixture(scope="module")
def pages(home: Path) -> dict[str, str]:
    """The text of every experiment's page, by the page's name."""
    found = (home / "site" / "current" / "experiments").glob("*.html")
    return {
        page.stem: re.sub(r"<(style|script).*?</\1>|<[^>]*>", " ", page.read_text(), flags=re.DOTALL)
        for page in found
    }


def test_the_other_scorecards_are_complete(pages, home) -> None:
    experiments = read_definitions(home / "catalog").catalogue.experiments
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
