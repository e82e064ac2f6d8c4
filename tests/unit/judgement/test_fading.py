"""The check that an effect on a unit lasts: shares of late activity against a Welch test by SciPy."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from scipy import stats

CUT_OFF = date(2026, 1, 25)
EXPOSED = date(2026, 1, 10)
UNITS = 4_000


def counted(rng, early: float, late: float) -> tuple[np.ndarray, np.ndarray]:
    """What units did in the early and in the late half; a third of them do nothing at all."""
    alive = rng.random(UNITS) < 2 / 3
    return rng.poisson(early, UNITS) * alive, rng.poisson(late, UNITS) * alive


def ages(arms: dict[str, tuple[np.ndarray, np.ndarray]], known: date = CUT_OFF) -> pl.DataFrame:
    rows = []
    for arm, (early, late) in arms.items():
        both = early + late
        rows.append(
            {
                "experiment_id": "cta",
                "metric": "revenue",
                "variant_id": arm,
                "exposure_day": EXPOSED,
                "known_day": known,
                "n": len(both),
                "active": int((both != 0).sum()),
                "sum_y": int(late.sum()),
                "sum_d": int(both.sum()),
                "sum_yy": int((late * late).sum()),
                "sum_yd": int((late * both).sum()),
                "sum_dd": int((both * both).sum()),
            }
        )
    return pl.DataFrame(rows)


def linearised(early: np.ndarray, late: np.ndarray) -> np.ndarray:
    both = early + late
    ratio = late.sum() / both.sum()
    return ratio + (late - ratio * both) / both.mean()


def fading(judged) -> list[dict]:
    return judged.validity.filter(pl.col("check").str.starts_with("fading")).to_dicts()


@pytest.mark.parametrize(
    ("early", "late", "status"),
    [(1.5, 0.5, "warn"), (1.5, 0.75, "pass"), (1.5, 1.1, "warn")],
    ids=["fades", "lasts", "grows"],
)
def test_a_lift_that_changes_with_the_age_of_the_exposure_warns(valued, rng, early, late, status):
    """Control does less in the late half: activity that wears off in both arms is no novelty."""
    control, red = counted(rng, 1.0, 0.5), counted(rng, early, late)
    [found] = fading(valued.judge(CUT_OFF, effect_ages=ages({"control": control, "red": red})))
    welch = stats.ttest_ind(linearised(*red), linearised(*control), equal_var=False)
    assert found["check"] == "fading:revenue"
    assert found["statistic"] == pytest.approx(welch.statistic, rel=1e-9)
    assert found["p_value"] == pytest.approx(welch.pvalue, rel=1e-6)
    assert found["status"] == status
    assert (found["reason"] == "effect_changes_with_age") is (status == "warn")
    first, last = (red[half].sum() / control[half].sum() - 1 for half in (0, 1))
    assert f"lift of red {100 * first:+.1f}%".replace("-", "−") in found["sentence"]
    assert f"and {100 * last:+.1f}% in the last of the window".replace("-", "−") in found["sentence"]


def test_days_beyond_the_cut_off_do_not_count(valued, rng):
    arms = {"control": counted(rng, 1.0, 0.5), "red": counted(rng, 1.5, 0.2)}
    assert fading(valued.judge(CUT_OFF, effect_ages=ages(arms, CUT_OFF + timedelta(days=1)))) == []


def test_few_active_units_are_not_judged(valued, rng):
    arms = {
        arm: (half * (np.arange(UNITS) < 100), other * (np.arange(UNITS) < 100))
        for arm, (half, other) in {"control": counted(rng, 1.0, 0.5), "red": counted(rng, 9.0, 0.1)}.items()
    }
    assert fading(valued.judge(CUT_OFF, effect_ages=ages(arms))) == []
