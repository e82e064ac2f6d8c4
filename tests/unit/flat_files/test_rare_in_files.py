"""Few events, exact distances and posteriors of shares in a flat file's rows."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy import stats

from fairsplit.analysis.flat_files import Request, analyse

DAY = date(2026, 1, 5)


@pytest.fixture
def cases(shared_dir: Path) -> Path:
    if not (shared_dir / "cases").is_dir():
        pytest.skip("no folder of cases")
    return shared_dir / "cases"


def rows(frame: pl.DataFrame, *metrics: str, **options) -> list[dict]:
    found = analyse(frame, Request("shop", DAY, variant="arm", metrics=metrics, **options)).judgement
    return found.comparisons.filter(pl.col("variant_id") != "control").to_dicts()


def counts(*arms: tuple[str, int, int]) -> pl.DataFrame:
    return pl.DataFrame(arms, schema=["arm", "conv", "n"], orient="row")


@pytest.mark.parametrize(
    ("name", "ratio", "expected"), [("one_event_1to99", 99, 0.010), ("rare2", 9, 1.76e-4)]
)
def test_case_rare_events_unequal_split(cases: Path, name: str, ratio: int, expected: float) -> None:
    frame = pl.read_csv(cases / "rare-events-unequal-split" / f"{name}.csv")
    (row,) = rows(frame, "conv/n", by="arm", ratio=(float(ratio), 1.0))
    assert row["method"] == "fisher"
    assert row["p_value"] == pytest.approx(expected, rel=5e-3)
    assert row["lift_abs_low"] > 0


def test_an_event_in_the_small_arm_is_judged_alike_in_a_segment() -> None:
    """Case rare-events-unequal-split in segments: Fisher's p in each level."""
    parts = [("de", 0, 700, 1, 60), ("fr", 3, 800, 2, 20)]
    units = []
    for land, x_c, n_c, x_t, n_t in parts:
        for arm, x, n in (("control", x_c, n_c), ("treat", x_t, n_t)):
            units += [{"arm": arm, "bought": float(i < x), "land": land} for i in range(n)]
    found = {
        row["segment_level"]: row
        for row in rows(pl.DataFrame(units), "bought:proportion", segments=("land",))
    }
    for land, x_c, n_c, x_t, n_t in parts:
        expected = stats.fisher_exact([[x_t, n_t - x_t], [x_c, n_c - x_c]]).pvalue
        assert found[land]["p_value"] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("counted", "chance"), [((0, 1000, 1, 1000), 0.7501), ((0, 20, 2, 20), 0.8841), ((5, 50, 9, 50), 0.8684)]
)
def test_case_bayes_probability_of_a_share(counted: tuple[int, ...], chance: float) -> None:
    x_c, n_c, x_t, n_t = counted
    frame = counts(("control", x_c, n_c), ("treat", x_t, n_t))
    (row,) = rows(frame, "conv/n", by="arm")
    assert row["prob_beat"] == pytest.approx(chance, abs=5e-5)
    (fewer,) = rows(frame, "conv/n:decrease", by="arm")
    assert fewer["prob_beat"] == pytest.approx(1 - chance, abs=5e-5)
    # Choosing the treatment loses E[(control - treatment)+] where more is better, by simulation of both posteriors.
    rng = np.random.default_rng(1)
    c, t = (rng.beta(x + 1, n - x + 1, 400_000) for x, n in ((x_c, n_c), (x_t, n_t)))
    loss = np.maximum(c - t, 0)
    assert row["expected_loss"] == pytest.approx(loss.mean(), abs=5 * loss.std() / 400_000**0.5)
    assert fewer["expected_loss"] == pytest.approx(np.maximum(t - c, 0).mean(), rel=0.02)


def test_case_ks_exact_middle_sizes(cases: Path) -> None:
    frame = pl.read_csv(cases / "ks-exact-middle-sizes" / "ks.csv")
    (row,) = rows(frame, "y:ks")
    assert row["statistic"] == pytest.approx(0.235606, abs=1e-6)
    assert row["p_value"] == pytest.approx(0.00272428, rel=1e-5)
