"""False verdicts on skewed revenue and ratios with rare denominators: at the level, or barred."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest

from fairsplit.analysis.flat_files import Request, analyse

pytestmark = pytest.mark.simulation

DAY = date(2026, 1, 5)
RUNS = 300


def judged(frames: list[pl.DataFrame], metric: str, ratio: tuple[float, ...]) -> pl.DataFrame:
    """All runs as the experiments of one file."""
    runs = pl.concat(frame.with_columns(run=pl.lit(f"run {i:03}")) for i, frame in enumerate(frames))
    asked = Request("runs", DAY, variant="arm", metrics=(metric,), experiment="run", ratio=ratio)
    found = analyse(runs, asked).judgement
    return found.comparisons.filter(pl.col("variant_id") == "treat").join(
        found.decisions.select("experiment_id", "action"), on="experiment_id"
    )


def arms(units: tuple[int, int], **columns: np.ndarray) -> pl.DataFrame:
    return pl.DataFrame({"arm": np.repeat(["control", "treat"], units), **columns})


@pytest.mark.parametrize(("units", "barred"), [((9_000, 1_000), True), ((5_000, 5_000), False)])
def test_case_skewed_revenue_unequal_split(units: tuple[int, int], barred: bool) -> None:
    """3 % buy for log-normal(3, 1.2): Welch calls a tenth of null runs at 9:1, and none of them is a verdict."""
    rng, total = np.random.default_rng(12), sum(units)
    spent = [(rng.random(total) < 0.03) * rng.lognormal(3, 1.2, total).round(2) for _ in range(RUNS)]
    found = judged([arms(units, spend=one) for one in spent], "spend:mean", tuple(map(float, units)))
    assert found["requirements_met"].not_().all() if barred else found["requirements_met"].all()
    verdicts = found["action"].is_in(["ship", "roll_back"]).mean()
    # Three Monte-Carlo errors above the level.
    assert verdicts <= (0.0 if barred else 0.05 + 3 * np.sqrt(0.05 * 0.95 / RUNS))


def test_case_ratio_with_rare_denominator() -> None:
    """1,500 units an arm, about six with a denominator: a third more false alarms than said, and no verdict."""
    rng = np.random.default_rng(13)
    frames = []
    for _ in range(RUNS):
        has = rng.random(3_000) < 0.004
        frames.append(
            arms(
                (1_500, 1_500),
                paid=has * rng.lognormal(1, 1, 3_000).round(2),
                items=has * rng.lognormal(1, 0.5, 3_000).round(2),
            )
        )
    found = judged(frames, "paid/items", (1.0, 1.0))
    known = found.filter(status="ok")
    assert known.height > 0.9 * RUNS
    assert known["requirements_met"].not_().all()
    assert found["action"].is_in(["ship", "roll_back"]).not_().all()
