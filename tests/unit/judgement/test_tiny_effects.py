"""An effect that is asked for may be as small as numbers are: it is judged, and stops nobody."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("method", ["fixed", "group_sequential", "always_valid", "sprt", "bayesian"])
@pytest.mark.parametrize("effect", ["1.0e-12", "1.0e-300", "1.0e+300", "{absolute: 1.0e-320}"])
def test_any_effect_that_validate_accepts_is_judged(world, method: str, effect: str) -> None:
    use = f"{{metric: revenue, minimum_effect: {effect}}}"
    world.define(metrics=f"{{primary: [{use}]}}", plan=f"{{method: {method}}}", end="2026-02-19")
    world.define("other", metrics="{primary: [revenue]}")
    for experiment in ("cta", "other"):
        world.values("control", [1, 2, 3, 4] * 50, experiment=experiment)
        world.values("red", [1, 2, 3, 5] * 50, experiment=experiment)
    judged = world.judge()
    assert sorted(judged.decisions["experiment_id"]) == ["cta", "other"]
    (row,) = judged.comparisons.filter(experiment_id="cta", variant_id="red").to_dicts()
    assert (row["status"], row["lift_abs"]) == ("ok", pytest.approx(0.25e-6))
