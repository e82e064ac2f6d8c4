"""Pairs of experiments: the interaction, the effects inside arms and the dependence, against statsmodels and SciPy."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest
import statsmodels.formula.api as smf
from scipy import stats
from statsmodels.stats.anova import anova_lm
from statsmodels.stats.multitest import multipletests

from fairsplit.analysis.judgement.interactions import interaction_rows, uniformity

DAY = date(2026, 1, 5)
SCALE = 1_000


def variants(*sizes: int) -> pl.DataFrame:
    rows = [(f"x{i}", f"v{j}", "v0", j) for i, size in enumerate(sizes) for j in range(size)]
    return pl.DataFrame(rows, schema=["experiment_id", "variant_id", "control_id", "position"], orient="row")


def uses(count: int, test: str = "welch") -> pl.DataFrame:
    rows = [(f"x{i}", "m", "primary", test, SCALE, SCALE) for i in range(count)]
    return pl.DataFrame(
        rows, schema=["experiment_id", "metric", "role", "test", "scale_y", "scale_d"], orient="row"
    )


def world(arms: np.ndarray, y: np.ndarray, d: np.ndarray | None = None, phase: np.ndarray | None = None):
    """Facts of experiments x0, x1, … from the arm of each unit in each (-1: not enrolled) and its value."""
    size = arms.shape[0]
    whole = np.rint(y * SCALE).astype(int).tolist()
    below = [0] * size if d is None else np.rint(d * SCALE).astype(int).tolist()
    when = np.zeros(size, dtype=int) if phase is None else phase
    cells: dict[tuple, list[int]] = {}
    pairs: dict[tuple, int] = {}
    daily: dict[tuple, int] = {}
    for unit in range(size):
        for i in np.flatnonzero(arms[unit] >= 0):
            here = (f"x{i}", int(when[unit]), f"v{arms[unit, i]}")
            daily[here] = daily.get(here, 0) + 1
            for j in np.flatnonzero(arms[unit] >= 0):
                if i == j:
                    continue
                there = (f"x{j}", int(when[unit]), f"v{arms[unit, j]}")
                a, b = whole[unit], below[unit]
                sums = cells.setdefault((*here, *there), [0] * 6)
                for place, value in enumerate((1, a, b, a * a, a * b, b * b)):
                    sums[place] += value
                if i < j:
                    pairs[*here, *there] = pairs.get((*here, *there), 0) + 1
    keys = ["experiment_id", "phase", "variant_id", "other_id", "other_phase", "other_variant"]
    sums = ["n", "sum_y", "sum_d", "sum_yy", "sum_yd", "sum_dd"]
    of_pairs = pl.DataFrame([(*k, *v) for k, v in cells.items()], schema=[*keys, *sums], orient="row")
    overlaps = pl.DataFrame([(*k, v) for k, v in pairs.items()], schema=[*keys, "units"], orient="row")
    exposures = pl.DataFrame(
        [(*k, v) for k, v in daily.items()],
        schema=["experiment_id", "phase", "variant_id", "units"],
        orient="row",
    )
    return (
        of_pairs.with_columns(metric=pl.lit("m"), day=pl.lit(DAY)),
        overlaps.with_columns(day=pl.lit(DAY)),
        exposures.with_columns(segment=pl.lit("all"), exposure_day=pl.lit(DAY)),
    )


def drawn(size: int = 2_000, seed: int = 7) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    arms = np.column_stack([rng.integers(2, size=size), rng.integers(3, size=size)])
    y = rng.normal(10, 2, size) + arms[:, 0] * (0.2 + 0.8 * (arms[:, 1] == 2))
    return arms, np.round(y, 3)


def test_the_f_test_is_that_of_a_linear_model_with_and_without_the_interaction() -> None:
    arms, y = drawn()
    rows, _ = interaction_rows(*world(arms, y), variants(2, 3), uses(2), DAY)
    frame = pl.DataFrame({"y": y, "a": arms[:, 0], "b": arms[:, 1]}).to_pandas()
    table = anova_lm(smf.ols("y ~ C(a) + C(b)", frame).fit(), smf.ols("y ~ C(a) * C(b)", frame).fit())
    for row in rows.to_dicts():
        assert row["statistic"] == pytest.approx(table["F"][1], rel=1e-9)
        assert row["p_value"] == pytest.approx(table["Pr(>F)"][1], rel=1e-9)
        assert (row["df1"], row["df2"], row["units"], row["strata"]) == (2, 1_994, 2_000, 1)
        assert row["finding"] == "interacts"


def test_the_largest_difference_of_effects_and_what_could_be_seen() -> None:
    arms, y = drawn()
    rows, effects = interaction_rows(*world(arms, y), variants(2, 3), uses(2), DAY)
    row = rows.row(0, named=True)
    cell = {(a, b): y[(arms[:, 0] == a) & (arms[:, 1] == b)] for a in (0, 1) for b in (0, 1, 2)}
    four = [cell[1, 2], cell[0, 2], cell[1, 0], cell[0, 0]]
    difference = four[0].mean() - four[1].mean() - four[2].mean() + four[3].mean()
    error = np.sqrt(sum(one.var(ddof=1) / one.size for one in four))
    assert (row["variant_id"], row["other_variant"]) == ("v1", "v2")
    assert row["interaction"] == pytest.approx(difference)
    assert row["std_error"] == pytest.approx(error)
    reach = stats.norm.isf(0.05 / 2 / 2)
    assert row["ci_low"] == pytest.approx(difference - reach * error)
    assert row["smallest_visible"] == pytest.approx((reach + stats.norm.ppf(0.8)) * error)
    of = {(one["kind"], one["other_variant"]): one for one in effects.filter(experiment_id="x0").to_dicts()}
    assert of["conditional", "v2"]["effect"] == pytest.approx(cell[1, 2].mean() - cell[0, 2].mean())
    assert of["combined", "v2"]["effect"] == pytest.approx(cell[1, 2].mean() - cell[0, 0].mean())


def test_weights_that_change_between_phases_are_no_interaction() -> None:
    """Kind phases-weights-changed: a falling base and other weights, without any effect."""
    rng = np.random.default_rng(3)
    phase = np.repeat([0, 1], 4_000)
    arms = np.column_stack([rng.random(8_000) < np.where(phase, 0.9, 0.5) for _ in range(2)]).astype(int)
    y = rng.normal(np.where(phase, 5.0, 10.0), 1.0)
    pooled, _ = interaction_rows(*world(arms, y), variants(2, 2), uses(2), DAY)
    rows, _ = interaction_rows(*world(arms, y, phase=phase), variants(2, 2), uses(2), DAY)
    assert pooled["p_value"].max() < 1e-6
    assert rows["strata"].to_list() == [2, 2]
    assert rows["p_value"].min() > 0.01
    assert (rows["interaction"].abs() < 4 * rows["std_error"]).all()


def test_a_ratio_is_told_by_its_linearised_values() -> None:
    rng = np.random.default_rng(5)
    arms = rng.integers(2, size=(3_000, 2))
    d = rng.poisson(3, 3_000).astype(float)
    y = np.round(d * (2 + 0.5 * arms[:, 0] * arms[:, 1]) + rng.normal(0, 1, 3_000), 3)
    rows, _ = interaction_rows(*world(arms, y, d), variants(2, 2), uses(2, "ratio"), DAY)
    share = y.sum() / d.sum()
    line = share + (y - share * d) / d.mean()
    frame = pl.DataFrame({"y": line, "a": arms[:, 0], "b": arms[:, 1]}).to_pandas()
    table = anova_lm(smf.ols("y ~ C(a) + C(b)", frame).fit(), smf.ols("y ~ C(a) * C(b)", frame).fit())
    assert rows["p_value"].to_list() == pytest.approx([table["Pr(>F)"][1]] * 2, rel=1e-6)


def test_assignments_depend_where_an_arm_keeps_units_out_of_another_experiment() -> None:
    """ "Not enrolled" is a level: those inside are split evenly, only how many come in differs."""
    rng = np.random.default_rng(11)
    arms = rng.integers(2, size=(4_000, 2))
    arms[:, 1] = np.where(rng.random(4_000) < np.where(arms[:, 0] == 1, 0.4, 0.6), arms[:, 1], -1)
    rows, _ = interaction_rows(*world(arms, rng.normal(size=4_000)), variants(2, 2), uses(2), DAY)
    table = [[((arms[:, 0] == a) & (arms[:, 1] == b)).sum() for b in (-1, 0, 1)] for a in (0, 1)]
    right = stats.chi2_contingency(table, correction=False)
    row = rows.filter(experiment_id="x0").row(0, named=True)
    assert row["dependence_statistic"] == pytest.approx(right.statistic)
    assert row["dependence_df"] == right.dof
    assert row["dependence_p"] == pytest.approx(right.pvalue)
    assert row["finding"] == "dependent"
    # All units of the other are in this one.
    assert rows.filter(experiment_id="x1")["dependence_p"][0] > 0.001


def test_p_values_are_adjusted_over_the_scan_and_within_an_experiment() -> None:
    rng = np.random.default_rng(13)
    arms = rng.integers(2, size=(2_000, 5))
    y = rng.normal(size=2_000) + 1.0 * arms[:, 0] * arms[:, 1]
    rows, _ = interaction_rows(*world(arms, y), variants(*[2] * 5), uses(5), DAY)
    assert rows.height == 20
    p = rows["p_value"].to_numpy()
    assert rows["p_adjusted"].to_numpy() == pytest.approx(multipletests(p, method="fdr_bh")[1])
    own = rows.filter(experiment_id="x0")
    assert own["p_holm"].to_numpy() == pytest.approx(
        multipletests(own["p_value"].to_numpy(), method="holm")[1]
    )
    flagged = rows.filter(finding="interacts").select("experiment_id", "other_id").rows()
    assert flagged == [("x0", "x1"), ("x1", "x0")]


def test_equal_facts_in_any_order_give_equal_bytes() -> None:
    """Promise: late data gives the bytes of a rebuild, so no sum of fractions may follow the order of rows."""
    rng = np.random.default_rng(17)
    arms = rng.integers(-1, 4, size=(3_000, 5))
    facts = world(arms, rng.lognormal(size=3_000), phase=rng.integers(3, size=3_000))
    told = set()
    for seed in range(8):
        shuffled = (frame.sample(fraction=1, shuffle=True, seed=seed) for frame in facts)
        found = interaction_rows(*shuffled, variants(*[4] * 5), uses(5), DAY)
        told.add(tuple(frame.write_ndjson() for frame in found))
    assert len(told) == 1


def test_what_compares_no_means_and_what_has_too_few_units_has_no_number() -> None:
    arms, y = drawn()
    rows, effects = interaction_rows(*world(arms, y), variants(2, 3), uses(2, "mann_whitney"), DAY)
    assert (rows.height, effects.height) == (0, 0)
    rows, _ = interaction_rows(*world(arms[:2], y[:2]), variants(2, 3), uses(2), DAY)
    assert set(rows["status"]) == {"not_computed"}
    assert set(rows["reason"]) == {"insufficient_sample"}
    assert rows["p_value"].null_count() == rows.height


def test_uniformity_is_kolmogorovs() -> None:
    p = np.random.default_rng(1).random(400) ** 1.3
    right = stats.kstest(p, "uniform")
    distance, chance = uniformity(p)
    assert distance == pytest.approx(right.statistic)
    assert chance == pytest.approx(right.pvalue, rel=0.1)
    assert uniformity(np.array([np.nan])) is None
