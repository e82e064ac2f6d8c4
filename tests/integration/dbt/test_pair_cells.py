"""The cells of pairs of experiments, against a loop over units, and as a rebuild has them after a late exposure."""

from __future__ import annotations

import random

import pytest

pytestmark = pytest.mark.integration

COLUMNS = (
    "experiment_id, metric, variant_id, other_id, other_variant, sum(n), sum(sum_y), sum(sum_d), sum(sum_yy)"
)


def cells(world) -> list[tuple]:
    return world.rows(f"select {COLUMNS} from fct_pair_cells group by all order by all")


def test_cells_are_those_of_a_loop_over_units_and_a_late_exposure_moves_them(make_world, viewed) -> None:
    draw = random.Random(5)  # noqa: S311
    first, late = [], []
    expected: dict[tuple, list[int]] = {}
    for number in range(60):
        unit, buys = f"u{number}", draw.randrange(4)
        arms = {"one": draw.choice("ab"), "two": draw.choice("ab")}
        inside = draw.random() < 0.7
        first.append(viewed(f"one-{unit}", "05 10:00", arms["one"], user_id=unit, experiment_id="one"))
        if inside:
            seen = viewed(f"two-{unit}", "06 10:00", arms["two"], user_id=unit, experiment_id="two")
            (late if number % 5 == 0 else first).append(seen)
            for name, other in (("one", "two"), ("two", "one")):
                total = expected.setdefault((name, arms[name], other, arms[other]), [0, 0, 0])
                for place, value in enumerate((1, buys, buys**2)):
                    total[place] += value
        first += [
            {"id": f"{unit}-{n}", "name": "click", "at": f"07 1{n}:00", "user_id": unit} for n in range(buys)
        ]
    worlds = []
    for name in ("in_turn", "at_once"):
        world = make_world(name)
        for experiment in ("one", "two"):
            world.experiment(experiment, ("clicks_per_user",), role="primary")
        world.land(*first)
        if name == "in_turn":
            world.run("13")
        world.land(*late)
        world.run("16")
        worlds.append(world)
    found = cells(worlds[0])
    assert found == cells(worlds[1])
    assert {(a, b, c, d): [n, y, yy] for a, _, b, c, d, n, y, _, yy in found} == expected
