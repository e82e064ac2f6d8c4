"""The page of the mission names every row, and tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
LINES = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (ROOT / "docs" / "mission.md").read_text(encoding="utf-8").splitlines()
    if re.match(r"\| M\d", line)
]


def test_every_row_of_the_mission_is_there_once() -> None:
    assert [line[0] for line in LINES] == [f"M{number:02}" for number in range(1, 59)]


@pytest.mark.parametrize("line", LINES, ids=[line[0] for line in LINES])
def test_a_row_names_tests_that_exist_or_says_that_it_is_missing(line: list[str]) -> None:
    _, stands, place, proof = line
    assert stands.split(":")[0] in {"done", "part", "missing"}
    named = re.findall(r"`([^`]+)`", proof)
    assert bool(named) == bool(place) == (stands != "missing")
    for test in named:
        path, _, name = test.partition("::")
        text = (ROOT / path).read_text(encoding="utf-8")
        assert not name or re.search(rf"^def {re.escape(name)}\(", text, re.MULTILINE), test
