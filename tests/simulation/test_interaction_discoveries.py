"""False discoveries of the scan for interactions: many experiments at once, some pairs of which interact."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest
from scipy import stats

from fairsplit.analysis.judgement.interactions import ALPHA, interaction_rows, uniformity

pytestmark = pytest.mark.simulation

DAY, SCALE = date(2026, 1, 5), 1_000


def block(
    number: int, experiments: int, units: int, planted: int, rng: np.random.Generator
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Cells and overlaps of experiments on the same units; the first pairs, 0 and 1, 2 and 3, …, interact.

    Sums over units are products of matrices: a unit is in an arm, in the other arm, or (one in four) in neither.
    """
    place = rng.integers(4, size=(units, experiments))
    arms = [(place == 0).astype(float), ((place == 1) | (place == 2)).astype(float)]
    y = rng.normal(10, 2, units)
    for pair in range(planted):
        y += 1.2 * arms[1][:, 2 * pair] * arms[1][:, 2 * pair + 1]
    whole = np.rint(y * SCALE)
    a, b = np.nonzero(~np.eye(experiments, dtype=bool))
    cells = []
    for one in (0, 1):
        for other in (0, 1):
            n, first, second = (
                (arms[one].T @ (arms[other] * weight[:, None]))[a, b]
                for weight in (np.ones(units), whole, whole**2)
            )
            cells.append(
                pl.DataFrame(
                    {
                        "experiment_id": a,
                        "other_id": b,
                        "n": n.astype(int),
                        "sum_y": first.astype(int),
                        "sum_yy": second.astype(int),
                    }
                ).with_columns(variant_id=pl.lit(f"v{one}"), other_variant=pl.lit(f"v{other}"))
            )
    named = pl.concat(cells).with_columns(
        pl.format("b{}-x{}", pl.lit(number), pl.col("experiment_id")).alias("experiment_id"),
        pl.format("b{}-x{}", pl.lit(number), pl.col("other_id")).alias("other_id"),
        phase=pl.lit(0),
        other_phase=pl.lit(0),
        metric=pl.lit("m"),
        day=pl.lit(DAY),
        **{name: pl.lit(0) for name in ("sum_d", "sum_yd", "sum_dd")},
    )
    once = named.filter(pl.col("experiment_id") < pl.col("other_id")).rename({"n": "units"})
    return named, once


def scan(blocks: int, experiments: int, units: int, planted: int, seed: int) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    parts = [block(number, experiments, units, planted, rng) for number in range(blocks)]
    cells, overlaps = (pl.concat(one) for one in zip(*parts, strict=True))
    names = cells["experiment_id"].unique().sort().to_list()
    variants = pl.DataFrame(
        [(name, f"v{arm}", "v0", arm) for name in names for arm in (0, 1)],
        schema=["experiment_id", "variant_id", "control_id", "position"],
        orient="row",
    )
    uses = pl.DataFrame({"experiment_id": names}).with_columns(
        metric=pl.lit("m"), role=pl.lit("primary"), test=pl.lit("welch"), scale_y=SCALE, scale_d=SCALE
    )
    # Those enrolled are the units of the first pair's table; the scan asks for totals of every arm.
    totals = cells.group_by("experiment_id", "variant_id").agg(units=pl.col("n").sum())
    exposures = totals.with_columns(phase=pl.lit(0), segment=pl.lit("all"), exposure_day=pl.lit(DAY))
    return interaction_rows(cells, overlaps, exposures, variants, uses, DAY)[0]


def is_planted(rows: pl.DataFrame, planted: int) -> pl.Series:
    one, other = (rows[name].str.extract(r"x(\d+)$").cast(pl.Int64) for name in ("experiment_id", "other_id"))
    return (one // 2 == other // 2) & (one < 2 * planted)


SIZES = [
    pytest.param(1, 40, 3_000, 4, id="sample"),
    pytest.param(10, 100, 8_000, 10, id="1,000 experiments", marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("blocks", "experiments", "units", "planted"), SIZES)
def test_false_discoveries_of_the_scan_stay_at_their_rate(blocks, experiments, units, planted):
    """Each pair stands twice, with one p: it counts once."""
    rows = scan(blocks, experiments, units, planted, 20_261_129).filter(
        pl.col("experiment_id") < pl.col("other_id")
    )
    assert rows.height == blocks * experiments * (experiments - 1) // 2
    true = is_planted(rows, planted)
    flagged = rows["finding"] == "interacts"
    assert true.sum() == blocks * planted
    found, false = int((flagged & true).sum()), int((flagged & ~true).sum())
    assert found >= 0.9 * blocks * planted
    assert false <= stats.binom.isf(1e-3, found + false, ALPHA)
    # The others' p-values are uniform, within what pairs of the same units allow.
    distance, _ = uniformity(rows.filter(~true)["p_value"].to_numpy())
    assert distance < 4 / np.sqrt(blocks * experiments)


def test_a_scan_without_interactions_hardly_ever_flags_one():
    """Twenty scans of 190 pairs: any flag at all is an error of the whole scan, at most one in twenty."""
    flagged = sum((scan(1, 20, 1_000, 0, seed)["finding"] == "interacts").any() for seed in range(20))
    assert flagged <= stats.binom.isf(1e-3, 20, ALPHA)
