"""M14, M56: a population is assigned by a custom design, whose answer is checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest
from tests.parts import install

from fairsplit.analysis.parts.installed import installed
from fairsplit.assignment_exports.designs.assigning import Design, draw
from fairsplit.assignment_exports.errors import ExportError

if TYPE_CHECKING:
    from pathlib import Path

UNITS = pl.DataFrame(
    {
        "unit_id": [f"u{number:03}" for number in range(300)],
        "country": ["DE", "US", "FR"] * 100,
        "orders": [number // 3 % 10 for number in range(300)],
    }
)
BAD = """
import numpy as np
def short(covariates, weights, seed): return np.zeros(3, dtype=int)
def beyond(covariates, weights, seed): return np.full(len(covariates["unit_id"]), 2)
def halves(covariates, weights, seed): return np.full(len(covariates["unit_id"]), 0.5)
def raises(covariates, weights, seed): raise ValueError("too few units")
"""


@pytest.mark.usefixtures("example_parts")
def test_m14_a_custom_design_balances_what_is_known() -> None:
    drawn = draw("mailing", UNITS, {"control": 0.5, "letter": 0.5}, Design("robust.dealt"))
    again = draw("mailing", UNITS.sample(fraction=1, shuffle=True, seed=1), {"control": 0.5, "letter": 0.5},
                 Design("robust.dealt"))  # fmt: skip
    assert drawn.table.equals(again.table)
    assert set(drawn.table["probability"]) == {0.5}
    cells = drawn.table.join(UNITS, on="unit_id").group_by("country", "variant").len()["len"]
    # Of 100 neighbours a golden walk gives each half 50, one more or less.
    assert all(48 <= count <= 52 for count in cells)


@pytest.mark.usefixtures("example_parts")
def test_m14_each_unit_has_each_arm_by_its_weight() -> None:
    weights = {"a": 0.5, "b": 0.3, "c": 0.2}
    drawn = [
        draw(f"e{number}", UNITS.head(30), weights, Design("robust.dealt")).table for number in range(400)
    ]
    first = [table["variant"][0] for table in drawn]
    for arm, weight in weights.items():
        assert abs(first.count(arm) / 400 - weight) < 4 * np.sqrt(weight * (1 - weight) / 400)


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("bad.short", "gives no arm to each unit"), ("bad.beyond", "gives no arm to each unit"),
        ("bad.halves", "gives no arm to each unit"), ("bad.raises", "refuses the population"),
        ("bad.nothing", "no installed distribution brings"), ("stratifed", "no such design"),
    ],
)  # fmt: skip
def test_m14_what_is_no_design_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, what: str
) -> None:
    entries = {one: f"bad_designs_of_a_test:{one.removeprefix('bad.')}" for one in
               ("bad.short", "bad.beyond", "bad.halves", "bad.raises")}  # fmt: skip
    modules = {"bad_designs_of_a_test": BAD}
    install(
        tmp_path / "bad", monkeypatch, "bad-designs", {"fairsplit.randomisation": entries}, modules=modules
    )
    with pytest.raises(ExportError, match=what):
        draw("mailing", UNITS, {"control": 0.5, "letter": 0.5}, Design(name))
    installed.cache_clear()
