"""A sample of `make error-rates`: the study judges what it draws, and its page says what it found."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks import error_rates
from benchmarks.simulated_sums import DAYS, World, drawn_sums, drawn_units
from scipy import stats


@pytest.fixture(scope="module")
def cells() -> list[error_rates.Cell]:
    world = World("rate 30 %", 1, 2, changed=False)
    return [cell for looks in (1, DAYS) for cell in error_rates.measure(world, 12, looks, seed=[1])]


def test_every_method_is_judged_once_and_daily_and_none_is_above_its_level(cells):
    assert {(cell.method, cell.looks) for cell in cells} == {
        (method, looks) for method in error_rates.METHODS for looks in (1, DAYS)
    }
    for cell in cells:
        for name in ("false harm", "false clearance") + (
            ("false ship",) if cell.method != "bayesian" else ()
        ):
            assert not error_rates.is_above(name, *cell.rates[name])
    daily = {cell.method: cell.rates["power"][0] for cell in cells if cell.looks == DAYS}
    # Planned for 80 % of 12 by one look; a group sequential plan costs little, a confidence sequence more.
    assert min(daily["fixed"], daily["group_sequential"]) >= stats.binom.ppf(1e-3, 12, 0.75)


def test_the_page_sums_cells_up_with_their_intervals(cells):
    text = error_rates.page(cells, 1)
    found = stats.binomtest(0, 12).proportion_ci(method="exact")
    assert f"0.0% (0.0%–{found.high:.1%})" in text
    assert "| rate 30 % | 1:1 | 2 | constant | fixed | 28 | 12 |" in text


def test_a_cell_in_which_nothing_may_be_decided_says_so(cells):
    world = World("ratio with a rare denominator", 99, 4, changed=False)
    silent = error_rates.Cell(
        world, "fixed", 1, dict(cells[0].rates) | {"refused": (12, 12), "power": (0, 12)}
    )
    text = error_rates.page([cells[0], silent], 1)
    assert "(**no verdict**, 1 cells)" in text
    line = next(
        line for line in text.splitlines() if line.startswith("| ratio with a rare denominator | 99:1")
    )
    assert line.endswith(": no verdict |")


def test_sums_have_the_moments_of_their_outcome():
    world, rng = World("heavy-tailed revenue", 9, 2, changed=True), np.random.default_rng(2)
    units = drawn_units(world, 200, rng)
    sums = drawn_sums(world, units, 0.5, rng)
    share = units.sum(axis=(0, 1)) / units.sum()
    assert share == pytest.approx([0.7, 0.3], abs=0.002)
    mean = sums["y"].sum(axis=0) / units.sum(axis=0) / 100
    plain = 0.03 * np.exp(3 + 1.2**2 / 2)
    assert mean[:14].mean(axis=0) == pytest.approx([plain, 1.5 * plain], rel=0.05)
    assert mean[14:].mean(axis=0) == pytest.approx([plain / 2, 0.75 * plain], rel=0.05)
