"""A whole world through the whole pipeline keeps every claim, and the claims notice when one is broken."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import pytest
from tests.worlds.claims import broken_claims
from tests.worlds.observing import observe

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.simulation, pytest.mark.slow]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> dict:
    home: Path = tmp_path_factory.mktemp("world")
    return observe(101, home)


def test_what_is_hidden_is_found_and_counted(world: dict) -> None:
    assert broken_claims([world]) == []


@pytest.mark.parametrize(
    ("table", "column", "value", "words"),
    [
        ("accounts", "accepted", 1, "accepted: 1 rows"),
        ("crossovers", "units", 1, "units in two arms"),
        ("validity", "check", "unheard", "nothing says srm"),
        ("late", "events", 1, "late: 1 events"),
    ],
)
def test_a_broken_claim_is_told(world: dict, table: str, column: str, value: object, words: str) -> None:
    changed = copy.deepcopy(world)
    for row in changed["seen"][table]:
        row[column] = value
    assert any(words in claim for claim in broken_claims([changed]))


def test_a_winner_that_is_none_is_told(world: dict) -> None:
    changed = copy.deepcopy(world)
    for row in changed["seen"]["decisions"]:
        if row["experiment_id"] in {"lazy_images", "shipping_banner"}:
            row |= {"action": "ship", "variant_id": "banner"}
    told = broken_claims([changed])
    assert any("lazy_images: a winner" in claim for claim in told)
    assert any("ships the worse banner" in claim for claim in told)
