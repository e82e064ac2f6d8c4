"""`fairsplit analyze --cap`: what a mean's values are capped to."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
from scipy import stats
from tests.unit.flat_files.rows import rows_of, treated

ROWS = 400


@pytest.fixture(scope="module")
def units() -> pl.DataFrame:
    rng = np.random.default_rng(5)
    buys = rng.random(ROWS) < 0.3
    return pl.DataFrame(
        {
            "arm": np.where(np.arange(ROWS) % 2 == 0, "control", "treat"),
            "spend": np.where(buys, np.round(rng.lognormal(3, 1.2, ROWS), 2), 0.0),
            "pre": np.round(rng.lognormal(1, 1, ROWS), 2),
            "country": np.where(np.arange(ROWS) % 3 == 0, "DE", "US"),
            "bought": buys,
        }
    )


@pytest.fixture
def file(units, tmp_path):
    path = tmp_path / "spend.csv"
    units.write_csv(path)
    return path


def _quantile(values: np.ndarray, share: float) -> float:
    """The smallest value at or below which so large a share of the values lies."""
    return float(np.sort(values)[max(1, math.ceil(round(share * values.size, 9))) - 1])


def _welch(units: pl.DataFrame, capped: np.ndarray) -> float:
    treat = units["arm"].to_numpy() == "treat"
    return float(stats.ttest_ind(capped[treat], capped[~treat], equal_var=False).pvalue)


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("p95", 0.0, 0.95),
        ("spend=p40..p97.5", 0.4, 0.975),
        ("spend=..p90", None, 0.9),
    ],
)
def test_quantiles_are_those_of_all_arms_together(analyze, file, units, text, low, high):
    values = units["spend"].to_numpy()
    ends = [None if share is None else _quantile(values, share) for share in (low, high)]
    code, found, _ = analyze(file, "--metric", "spend:mean", "--cap", text)
    row = treated(found)
    capped = np.clip(values, ends[0], ends[1])
    assert code == 0
    assert row["p_value"] == pytest.approx(_welch(units, capped), rel=1e-9)
    assert row["mean"] == pytest.approx(capped[units["arm"].to_numpy() == "treat"].mean(), rel=1e-12)
    assert row["p_value"] != pytest.approx(_welch(units, values), rel=1e-3)


def test_numbers_are_taken_as_they_are(analyze, file, units):
    _, found, _ = analyze(file, "--metric", "spend:mean", "--cap", "spend=0.5..30.25")
    capped = np.clip(units["spend"].to_numpy(), 0.5, 30.25)
    assert treated(found)["p_value"] == pytest.approx(_welch(units, capped), rel=1e-9)


def test_quantiles_of_what_is_not_zero_leave_zeros(analyze, file, units):
    values = units["spend"].to_numpy()
    low, high = (_quantile(values[values != 0], share) for share in (0.1, 0.9))
    capped = np.where(values == 0, 0, np.clip(values, low, high))
    _, found, _ = analyze(file, "--metric", "spend:mean", "--cap", "p10..p90:nonzero")
    assert treated(found)["p_value"] == pytest.approx(_welch(units, capped), rel=1e-9)


def test_segments_are_capped_as_the_whole_is(analyze, file, units):
    values = units["spend"].to_numpy()
    capped = np.minimum(values, _quantile(values, 0.9))
    here = (units["country"] == "DE").to_numpy()
    _, found, _ = analyze(file, "--metric", "spend:mean", "--cap", "p90", "--segment", "country")
    row = treated(found, segment="country", segment_level="DE")
    assert row["p_value"] == pytest.approx(
        _welch(units.filter(pl.col("country") == "DE"), capped[here]), rel=1e-9
    )


def test_a_covariate_is_capped_at_the_same_quantiles_of_its_own(analyze, file, units, tmp_path):
    """The same figures as of a file whose two columns were capped before."""
    before = tmp_path / "capped.csv"
    ends = {name: _quantile(units[name].to_numpy(), 0.9) for name in ("spend", "pre")}
    units.with_columns(
        pl.min_horizontal(name, pl.lit(end)).alias(name) for name, end in ends.items()
    ).write_csv(before)
    options = ("--metric", "spend:mean", "--covariate", "pre")
    _, found, _ = analyze(file, *options, "--cap", "p90")
    _, wanted, _ = analyze(before, *options)
    for name in ("lift_abs", "lift_std_error", "p_value"):
        assert treated(found)[name] == pytest.approx(treated(wanted)[name], rel=1e-9)


def test_each_experiment_has_caps_of_its_own(analyze, units, tmp_path):
    both = pl.concat(
        [
            units.with_columns(test=pl.lit("one")),
            units.with_columns(pl.col("spend") * 10, test=pl.lit("two")),
        ]
    )
    both.write_csv(tmp_path / "two.csv")
    _, found, _ = analyze(
        tmp_path / "two.csv", "--experiment", "test", "--metric", "spend:mean", "--cap", "p90"
    )
    one, two = (treated(found, experiment_id=name) for name in ("one", "two"))
    assert two["p_value"] == pytest.approx(one["p_value"], rel=1e-9)
    assert two["lift_abs"] == pytest.approx(10 * one["lift_abs"], rel=1e-9)


def test_events_are_added_up_before_they_are_capped(analyze, tmp_path):
    rows = [(unit, "control" if unit % 2 else "treat", 1 + unit % 3) for unit in range(60) for _ in range(2)]
    pl.DataFrame(rows, schema=["user_id", "arm", "spend"], orient="row").write_csv(tmp_path / "events.csv")
    _, found, _ = analyze(
        tmp_path / "events.csv",
        "--unit",
        "user_id",
        "--by",
        "event",
        "--metric",
        "spend:mean",
        "--cap",
        "0..4",
    )
    values = [min(2 * (1 + unit % 3), 4) for unit in range(0, 60, 2)]
    assert treated(found)["mean"] == pytest.approx(np.mean(values))


def test_a_cap_that_leaves_one_value_says_so(analyze, file):
    _, found, _ = analyze(file, "--metric", "spend:mean", "--cap", "p50")
    assert {row["reason"] for row in rows_of(found)} == {"capped_to_one_value"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--metric", "bought:proportion", "--cap", "bought=p99"), "a share has no large values"),
        (("--metric", "bought:proportion", "--cap", "p99"), "no metric takes caps"),
        (("--metric", "spend/pre", "--cap", "spend/pre=p99"), "cap a metric of its numerator"),
        (("--metric", "spend:median", "--cap", "spend=p99"), "a quantile does not feel the largest values"),
        (("--metric", "spend:ks", "--cap", "spend=p99"), "ranks hardly feel the largest values"),
        (("--metric", "spend:mean", "--cap", "spnd=p99"), "did you mean"),
        (("--metric", "spend:mean", "--cap", "spend=99%"), "is no cap"),
        (("--metric", "spend:mean", "--cap", "spend=.."), "is no cap"),
        (("--metric", "spend:mean", "--cap", "nan"), "is no cap"),
        (("--metric", "spend:mean", "--cap", "p99..p1"), "the caps are reversed"),
        (("--metric", "spend:mean", "--cap", "500:nonzero"), "quantiles with :nonzero"),
        (("--metric", "spend:mean", "--cap", "p99", "--cap", "spend=p95"), "two caps for one metric"),
        (
            ("--metric", "spend:mean", "--cap", "p99", "--cluster", "country"),
            "values in clusters take no caps",
        ),
    ],
)
def test_what_takes_no_caps_says_so(analyze, file, options, words):
    code, _, err = analyze(file, *options)
    assert code == 1
    assert words in err
    assert "--cap" in err


def test_counts_per_arm_have_no_values_to_cap(analyze, tmp_path):
    (tmp_path / "arms.csv").write_text("arm,clicks,n\ncontrol,5,100\ntreat,9,100\n")
    code, _, err = analyze(tmp_path / "arms.csv", "--by", "arm", "--metric", "clicks/n", "--cap", "p99")
    assert (code, "counts per arm have no values to cap" in err) == (1, True)
