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


def bought_by_the_large_arm(seed: int = 3) -> pl.DataFrame:
    """19,600 units against 400; 103 events, none of them in the small arm, as 11 % of null splits have it."""
    rng = np.random.default_rng(seed)
    arm = np.repeat(["control", "treat"], [19_600, 400])
    bought = np.zeros(20_000)
    bought[:103] = 1.0
    money = bought * rng.lognormal(3, 1, 20_000)
    return pl.DataFrame(
        {
            "arm": arm,
            "bought": bought,
            "money": money,
            "seen": rng.poisson(20, 20_000) + 1.0,
            "house": [f"h{number // 4}" for number in range(20_000)],
            "before": rng.random(20_000),
        }
    )


@pytest.mark.parametrize(
    ("metric", "options"),
    [
        ("bought/seen", {}),
        ("money/seen:decrease", {}),
        ("money:mean", {}),
        ("bought/seen", {"covariates": ("before",)}),
        ("money:mean", {"cluster": "house"}),
        ("bought:proportion", {"cluster": "house"}),
    ],
)
@pytest.mark.parametrize(("control", "sign"), [("control", 1), ("treat", 1), ("control", -1)])
def test_an_arm_without_events_decides_nothing_by_any_test(
    metric: str, options: dict, control: str, sign: int
) -> None:
    """Kinds of rare-events-unequal-split, bandit-empty-arm, ratio-with-rare-denominator: Fisher says .28 (z -10).

    The arm without events has no variance of its own, in ratios and clusters as in means, whichever arm is the
    control and whichever the amounts' sign.
    """
    frame = bought_by_the_large_arm().with_columns(pl.col("money") * sign)
    split = (49.0, 1.0) if control == "control" else (1.0, 49.0)
    found = analyse(
        frame,
        Request("shop", DAY, variant="arm", control=control, metrics=(metric,), ratio=split, **options),
    )
    (row,) = found.judgement.comparisons.filter(pl.col("comparison").is_not_null()).to_dicts()
    assert row["p_value"] < 1e-4
    assert row["requirements_met"] is False
    assert found.judgement.decisions["reasons"].to_list() == [["requirements_unmet"]]


def test_amounts_of_both_signs_are_as_skewed_as_they_are() -> None:
    """Profits around 0 in arms of 9 to 1 are judged: their own skewness counts, not that of amounts of one sign."""
    rng = np.random.default_rng(8)
    profit = rng.normal(0.0, 5.0, 10_000) + np.repeat([-0.1, 0.9], [9_000, 1_000])
    frame = pl.DataFrame({"arm": np.repeat(["control", "treat"], [9_000, 1_000]), "profit": profit})
    (row,) = rows(frame, "profit:mean", control="control", ratio=(9.0, 1.0))
    (skewness,) = (one for one in row["requirements"] if one["requirement"] == "skewness")
    within = profit - np.repeat([profit[:9_000].mean(), profit[9_000:].mean()], [9_000, 1_000])
    factor = (1 / 1_000 - 1 / 9_000) / (1 / 1_000 + 1 / 9_000) ** 0.5
    assert skewness["observed"] == pytest.approx(abs(stats.skew(within)) * factor, rel=1e-9)
    assert row["requirements_met"] is True
    assert row["p_value"] == pytest.approx(
        stats.ttest_ind(profit[9_000:], profit[:9_000], equal_var=False).pvalue, rel=1e-9
    )


def test_no_unit_against_every_unit_is_a_difference() -> None:
    """Neither arm varies; the score test knows (p of the N - 1 chi-square, Campbell 2007)."""
    frame = pl.DataFrame(
        {"arm": ["control"] * 200 + ["treat"] * 200, "bought": np.repeat([0.0, 1.0], [200, 200])}
    )
    (row,) = rows(frame, "bought:proportion")
    assert (row["status"], row["method"]) == ("ok", "score")
    assert row["p_value"] == pytest.approx(stats.chi2.sf(399.0, 1), rel=1e-9)
    assert row["lift_abs"] == 1.0


def test_any_difference_among_few_events_is_not_told_by_a_chi_square() -> None:
    """3/45,000, 4/5,000 and 0/5,000: the chi-square says 5e-5 where .6 events are expected in an arm."""
    frame = counts(("control", 3, 45_000), ("treat", 4, 5_000), ("other", 0, 5_000))
    ask = Request("shop", DAY, variant="arm", metrics=("conv/n",), by="arm", ratio=(9.0, 1.0, 1.0))
    (row,) = analyse(frame, ask).differences.to_dicts()
    assert (row["p_value"], row["statistic"], row["reason"]) == (None, None, "insufficient_sample")


def test_a_small_arm_without_values_before_exposure_is_no_faulty_split() -> None:
    """Kind skewed means in unequal arms, in the check of the split: 11 % of null splits have such an arm."""
    frame = (
        bought_by_the_large_arm()
        .rename({"money": "before_money"})
        .with_columns(y=pl.Series(np.random.default_rng(5).normal(10, 2, 20_000)))
    )
    ask = Request(
        "shop", DAY, variant="arm", metrics=("y:mean",), covariates=("before_money",), ratio=(49.0, 1.0)
    )
    (check,) = (
        analyse(frame, ask)
        .judgement.validity.filter(pl.col("check").str.starts_with("pre_period"))
        .to_dicts()
    )
    before = frame["before_money"].to_numpy()
    assert stats.ttest_ind(before[:19_600], before[19_600:], equal_var=False).pvalue < 1e-6
    assert check["status"] == "pass"
    assert check["p_value"] == pytest.approx(
        stats.ttest_ind(before[:19_600], before[19_600:]).pvalue, rel=1e-9
    )
