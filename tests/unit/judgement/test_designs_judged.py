"""Lists that were drawn in strata or matched blocks are judged by their design. Case `list-judged-as-simple`."""

from __future__ import annotations

import numpy as np
import pytest
from tests.unit.judgement.test_changed_weights import Phases

from fairsplit.assignment_exports.designs.blocked import matched_blocks
from fairsplit.assignment_exports.designs.complete import stratified

UNITS = 400


def judged(
    world, strata: np.ndarray, y: np.ndarray, effect: float, rng: np.random.Generator
) -> tuple[dict, np.ndarray]:
    """The row of a list drawn in strata, and its arms."""
    world.statistics.clear()
    world.define(assignment="batch", metrics="{primary: [revenue]}", plan="{min_sample: 2}")
    arms = stratified(strata, [0.5, 0.5], rng)
    phases = Phases(world)
    values = (y + effect * arms).round(6)
    for stratum in np.unique(strata):
        for arm, name in enumerate(("control", "red")):
            inside = values[(strata == stratum) & (arms == arm)]
            if inside.size:
                phases.add(int(stratum), name, inside, metric="revenue")
    return phases.row(metric="revenue"), arms


def test_list_judged_as_simple_has_the_error_of_its_strata(world, rng):
    """By hand: the sum over ten strata of share² x variance / units, of both arms."""
    strata = np.repeat(np.arange(10), UNITS // 10)
    y = 3.0 * strata + rng.normal(0, 1, UNITS)
    row, arms = judged(world, strata, y, 0.5, rng)
    values = (y + 0.5 * arms).round(6)
    cells = [values[(strata == h) & (arms == arm)] for h in range(10) for arm in (0, 1)]
    expected = np.sqrt(sum(0.1**2 * cell.var(ddof=1) / cell.size for cell in cells))
    assert row["stratified_by"] == "design"
    assert row["lift_std_error"] == pytest.approx(expected, rel=1e-9)
    # As a simple split: the spread between the strata counts as chance.
    simple = np.sqrt(sum(values[arms == arm].var(ddof=1) / (arms == arm).sum() for arm in (0, 1)))
    assert simple > 5 * expected
    assert row["p_value"] < 1e-3


def test_list_judged_as_simple_has_nearly_the_error_of_its_blocks(world, rng):
    """Pairs have no variance of their own: neighbours are taken together, which costs a little."""
    x = rng.normal(0, 1, UNITS)
    blocks = matched_blocks(x[:, None], 2)
    y = 5.0 * x + rng.normal(0, 1, UNITS)
    row, _ = judged(world, blocks, y, 0.4, rng)
    design = np.sqrt(2 / (UNITS / 2))
    assert row["strata"] == UNITS // 4
    assert design * 0.85 < row["lift_std_error"] < design * 1.2
    assert row["p_value"] < 0.01


def test_list_judged_as_simple_keeps_its_size(world, rng):
    """40 draws without effect: the estimate stays inside its interval about as often as it says."""
    x = rng.normal(0, 1, 120)
    blocks = matched_blocks(x[:, None], 2)
    y = 5.0 * x + rng.normal(0, 1, 120)
    rows = [judged(world, blocks, y, 0.0, rng)[0] for _ in range(40)]
    # Seven or more of forty at 5 % happen in one of 400 runs.
    assert sum(row["p_value"] < 0.05 for row in rows) <= 6
    spread = np.std([row["lift_abs"] for row in rows], ddof=1)
    told = np.mean([row["lift_std_error"] for row in rows])
    # Four standard errors of a standard deviation of forty draws below, and what neighbours add above.
    assert 0.55 * spread < told < 1.9 * spread


def test_units_that_were_not_exposed_leave_larger_groups(world, rng):
    strata = np.repeat(np.arange(50), 4)
    kept = rng.random(200) < 0.4
    row, _ = judged(world, strata[kept], rng.normal(0, 1, kept.sum()), 0.0, rng)
    assert row["left_out"] == 0
    assert 1 < row["strata"] <= 50
