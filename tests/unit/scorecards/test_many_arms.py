"""Panels of experiments with several arms: factors, and the chance to be best."""

import dataclasses

import numpy as np
import pytest
import statsmodels.api as sm
from tests.unit.scorecards import site_world

from fairsplit.analysis.scorecards.best_arm import with_best
from fairsplit.analysis.scorecards.factorial import factorial_panels
from fairsplit.analysis.scorecards.inputs import ArmView

GRID = {("list", "photo"): "b", ("list", "drawing"): "a", ("grid", "drawing"): "c", ("grid", "photo"): "d"}


def values() -> dict[str, np.ndarray]:
    random = np.random.default_rng(5)
    means = {"a": 1.0, "b": 1.3, "c": 1.5, "d": 2.4}
    return {
        arm: random.normal(mean, 1.0 + 0.2 * place, 400 + 50 * place)
        for place, (arm, mean) in enumerate(means.items())
    }


def rows(samples: dict[str, np.ndarray]) -> list[dict[str, object]]:
    return [
        {
            "metric": "revenue_per_user",
            "variant_id": arm,
            "comparison": None if arm == "a" else "a",
            "status": "ok",
            "direction": "increase",
            "n": sample.size,
            "mean": sample.mean(),
            "std_error": sample.std(ddof=1) / np.sqrt(sample.size),
            "lift_abs": None if arm == "a" else sample.mean() - samples["a"].mean(),
            "cuped": False,
            "variance_reduction": None,
        }
        for arm, sample in samples.items()
    ]


def experiment():
    base = next(e for e in site_world.demo().inputs().experiments if e.id == "checkout_cta")
    return dataclasses.replace(
        base,
        factors=[("layout", ["list", "grid"]), ("image", ["drawing", "photo"])],
        arms=[
            ArmView(arm, arm, arm == "a", 0.25, levels={"layout": layout, "image": image})
            for (layout, image), arm in GRID.items()
        ],
        metrics=[dataclasses.replace(base.metrics[0], metric="revenue_per_user")],
    )


def test_factor_effects_equal_a_regression_with_unequal_variances() -> None:
    samples = values()
    levels = {arm: combination for combination, arm in GRID.items()}
    grid = np.concatenate([np.full(s.size, levels[a][0] == "grid", dtype=float) for a, s in samples.items()])
    photo = np.concatenate(
        [np.full(s.size, levels[a][1] == "photo", dtype=float) for a, s in samples.items()]
    )
    design = np.column_stack([np.ones_like(grid), grid - 0.5, photo - 0.5, (grid - 0.5) * (photo - 0.5)])
    fitted = sm.OLS(np.concatenate(list(samples.values())), design).fit(cov_type="HC2")
    (panel,) = factorial_panels(experiment(), site_world.METRICS, rows(samples))
    assert [term.name for term in panel.terms] == [
        "layout: grid instead of list",
        "image: photo instead of drawing",
        "layout grid × image photo",
    ]
    assert [term.estimate for term in panel.terms] == pytest.approx(fitted.params[1:], rel=1e-9)
    assert [(t.high - t.low) / 2 for t in panel.terms] == pytest.approx(1.959964 * fitted.bse[1:], rel=1e-6)
    assert panel.sentence.startswith("Read the arms, not the factors")


def test_a_missing_combination_leaves_the_panel_out() -> None:
    some = [row for row in rows(values()) if row["variant_id"] != "d"]
    assert factorial_panels(experiment(), site_world.METRICS, some) == []


def test_the_chance_to_be_best_agrees_with_draws() -> None:
    samples = {arm: sample + (arm == "c") * 0.8 for arm, sample in values().items()}
    known = with_best(rows(samples), "revenue_per_user")
    random = np.random.default_rng(1)
    drawn = np.stack([random.normal(row["mean"], row["std_error"], 200_000) for row in known])
    expected = np.bincount(drawn.argmax(axis=0), minlength=4) / 200_000
    assert [row["prob_best"] for row in known] == pytest.approx(expected, abs=0.005)


def test_two_arms_have_no_chance_to_be_best() -> None:
    two = [row for row in rows(values()) if row["variant_id"] in {"a", "b"}]
    assert with_best(two, "revenue_per_user") == two


def test_stopped_arm_shipped_cells_weigh_their_phases_alike() -> None:
    """Case `stopped-arm-shipped`: means that a lift weighs by its two arms are no cells of one factorial."""
    moved = [
        row | {"mean": mean, "stratified_by": "phase", "phase_mean": 0.25, "phase_std_error": 0.02}
        for row, mean in zip(rows(values()), (0.34, 0.16, 0.16, 0.34), strict=True)
    ]
    (panel,) = factorial_panels(experiment(), site_world.METRICS, moved)
    assert [term.estimate for term in panel.terms] == pytest.approx([0.0] * 3)
    assert not panel.sentence.startswith("Read the arms")
    lost = [row | {"phase_mean": None, "phase_std_error": None} for row in moved]
    assert factorial_panels(experiment(), site_world.METRICS, lost) == []
