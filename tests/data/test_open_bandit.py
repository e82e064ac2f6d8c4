"""Off-policy values of a real logged policy: the example's command against plain Python and against the other log."""

from __future__ import annotations

import re
from collections import Counter
from math import sqrt
from typing import TYPE_CHECKING

import polars as pl
import pytest
from tests.data.test_examples import run_readme

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.data
LINE = re.compile(r"^(\w+) +([\d.]+) +([\d.]+) to ([\d.]+) +width ([\d.]+)$", re.MULTILINE)


def test_intervals_from_the_uniform_log_cover_what_thompson_sampling_earned(
    data_dir: Path, tmp_path: Path
) -> None:
    printed = run_readme("open_bandit", data_dir, tmp_path)
    found = {name: tuple(float(number) for number in numbers) for name, *numbers in LINE.findall(printed)}
    assert found.keys() == {"ips", "snips", "doubly_robust"}
    assert "thompson log   0.00420" in printed
    for estimate, low, high, width in found.values():
        assert low < 0.0042 < high
        assert low < estimate < high
        assert width == pytest.approx(high - low, abs=2e-5)

    uniform, thompson = (
        pl.read_parquet(data_dir / "open_bandit" / f"{name}_all.parquet") for name in ("random", "bts")
    )
    shown = Counter(thompson["item_id"].to_list())
    scores = [
        shown[item] / thompson.height / (1 / 80) * click
        for item, click in uniform.select("item_id", "click").iter_rows()
    ]
    mean = sum(scores) / len(scores)
    spread = sqrt(sum((score - mean) ** 2 for score in scores) / (len(scores) - 1) / len(scores))
    assert found["ips"][:3] == pytest.approx(
        (mean, mean - 1.959964 * spread, mean + 1.959964 * spread), abs=6e-6
    )
