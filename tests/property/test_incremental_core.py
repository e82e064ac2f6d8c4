"""Promise 2: whatever the order of files, days, reruns and backfills, the tables equal one full rebuild, and both
equal an independent brute-force reading of the rules."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from tests.oracle.checks import expect_oracle, in_random_order, rebuild
from tests.oracle.worlds import make_events, split

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.integration


def check_world(seed: int, folder: Path) -> None:
    files = split(seed, make_events(seed))
    whole = rebuild(folder / "whole", files)
    expect_oracle(whole, files)
    mixed = in_random_order(folder / "mixed", files, random.Random(seed + 7))  # noqa: S311
    expected, found = whole.hashes(), mixed.hashes()
    assert {name for name in expected if expected[name] != found[name]} == set()


def test_any_order_equals_a_rebuild_and_the_oracle(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("FAIRSPLIT_HOME", str(tmp_path))
    check_world(1, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, *range(2, 22)])
def test_any_order_equals_a_rebuild_and_the_oracle_in_many_worlds(
    seed: int, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setenv("FAIRSPLIT_HOME", str(tmp_path))
    check_world(seed, tmp_path)
