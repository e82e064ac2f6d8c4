"""Files that were once read wrongly: each with its right value, computed apart."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import statsmodels.api as sm
from scipy import stats
from tests.unit.flat_files.rows import rows_of, treated

CASES = Path(os.environ.get("FAIRSPLIT_SHARED", "../shared")).resolve() / "cases"


@pytest.mark.parametrize("name", ["ids_zero.csv", "ids_e.csv"])
def test_names_read_as_numbers_ids(analyze, name: str) -> None:
    path = CASES / "names-read-as-numbers" / name
    code, found, _ = analyze(path, "--unit", "user_id", "--by", "event", "--metric", "y:proportion")
    texts = {line.split(",")[0] for line in path.read_text().splitlines()[1:]}
    assert code == 0
    assert sum(row["n"] for row in rows_of(found)) == len(texts) == 400
    (crossed,) = (check for check in found["validity"] if check["check"] == "crossovers")
    assert crossed["sentence"] == "No unit seen in two arms."


def test_names_read_as_numbers_arms(analyze) -> None:
    path = CASES / "names-read-as-numbers" / "var_01.csv"
    _, found, _ = analyze(path, "--variant", "variant", "--control", "01", "--metric", "y")
    texts = [line.split(",")[1] for line in path.read_text().splitlines()[1:]]
    assert {row["variant_id"]: row["n"] for row in rows_of(found)} == {
        name: texts.count(name) for name in ("01", "02")
    }


@pytest.mark.parametrize("options", [("--metric", "y"), ("--metric", "y", "--unit", "user_id")])
def test_repeated_units_unsaid(analyze, options: tuple[str, ...]) -> None:
    code, _, err = analyze(CASES / "repeated-units-unsaid" / "dups.csv", *options)
    assert code == 1
    assert all(way in err for way in ("--by event --unit user_id", "--cluster user_id", "--unit COL"))


def test_repeated_units_unsaid_ways_out(analyze) -> None:
    path = CASES / "repeated-units-unsaid" / "dups.csv"
    _, found, _ = analyze(path, "--metric", "y", "--by", "event", "--unit", "user_id")
    users = pl.read_csv(path).group_by("user_id").agg(pl.col("variant").first(), pl.col("y").max())
    parts = [users.filter(variant=arm)["y"].to_numpy() for arm in ("t", "control")]
    assert treated(found)["p_value"] == pytest.approx(
        stats.ttest_ind(*parts, equal_var=False).pvalue, rel=1e-6
    )
    assert [part.sum() for part in parts] == [34, 28]


def test_repeated_units_unsaid_clusters(analyze) -> None:
    path = CASES / "repeated-units-unsaid" / "clustered.csv"
    options = ("--variant", "arm", "--control", "c", "--ratio", "7:3", "--metric", "y:mean")
    code, _, err = analyze(path, *options)
    assert (code, "household_id" in err) == (1, True)
    _, found, _ = analyze(path, *options, "--cluster", "household_id")
    frame = pl.read_csv(path)
    design = sm.add_constant((frame["arm"] == "t").cast(float).to_numpy())
    groups = {"groups": frame["household_id"].rank("dense").to_numpy()}
    fit = sm.OLS(frame["y"].to_numpy(), design).fit(cov_type="cluster", cov_kwds=groups)
    row = treated(found)
    assert sum(its["n"] for its in rows_of(found)) == 800
    assert row["lift_abs"] == pytest.approx(fit.params[1], rel=1e-9)
    assert row["lift_std_error"] == pytest.approx(fit.bse[1], rel=2e-3)
    assert row["p_value"] == pytest.approx(fit.pvalues[1], abs=1e-3)


def test_control_guess(analyze) -> None:
    _, found, _ = analyze(CASES / "control-guess" / "ctl.csv", "--metric", "y")
    assert treated(found)["comparison"] == "control"


def test_segment_called_all(analyze) -> None:
    path = CASES / "segment-called-all" / "seg_colall.csv"
    _, found, _ = analyze(path, "--metric", "y", "--segment", "all")
    _, plain, _ = analyze(path, "--metric", "y")
    figures = ("variant_id", "n", "lift_rel_low", "lift_rel_high", "p_value", "p_adjusted", "ci_level")
    assert [[row[key] for key in figures] for row in rows_of(found)] == [
        [row[key] for key in figures] for row in rows_of(plain)
    ]
    assert {row["segment_level"] for row in rows_of(found, segment="all (column)")} == {"x", "z"}


def test_option_given_twice(analyze) -> None:
    path = CASES / "option-given-twice" / "seg_levelall.csv"
    _, found, _ = analyze(path, "--metric", "y", "--segment", "plan", "--segment", "plan")
    assert len(found["comparisons"]) == 6
    assert {row["n"] for row in rows_of(found, segment="plan")} == {150}


@pytest.mark.parametrize("name", ["csv20.csv", "u64.parquet"])
def test_numbers_too_large(analyze, name: str) -> None:
    code, _, err = analyze(CASES / "numbers-too-large" / name, "--metric", "m:mean")
    assert (code, "row 8" in err, "1e+15" in err) == (1, True, True)


def test_numbers_very_small(analyze) -> None:
    code, _, err = analyze(CASES / "numbers-very-small" / "tiny.parquet", "--metric", "m:mean")
    assert (code, "digits that would be lost" in err) == (1, True)


@pytest.mark.parametrize(
    ("name", "options", "word"),
    [
        ("dur.parquet", ("--metric", "m:mean"), "--metric m: the column is not numeric (a duration"),
        ("nest.ndjson", ("--metric", "y", "--segment", "tags"), "--segment tags: the column holds no names"),
        ("nest.ndjson", ("--metric", "props:mean"), "--metric props: the column is not numeric"),
    ],
)
def test_column_types_refused_in_words(analyze, name: str, options: tuple[str, ...], word: str) -> None:
    code, _, err = analyze(CASES / "column-types-refused-in-words" / name, *options)
    assert (code, word in err, "Traceback" in err) == (1, True, False)


def test_empty_cell_drops_a_metric(analyze) -> None:
    code, _, err = analyze(CASES / "empty-cell-drops-a-metric" / "na.csv", "--variant", "variant")
    assert (code, "--metric m" in err, "NA in row 4" in err) == (1, True, True)


def test_guess_of_the_deciding_metric(analyze) -> None:
    path = CASES / "guess-of-the-deciding-metric" / "orders.csv"
    _, found, err = analyze(path)
    frame = pl.read_csv(path)
    parts = [frame.filter(variant=arm)["revenue"].to_numpy() for arm in ("t", "control")]
    assert {row["metric"] for row in found["comparisons"]} == {"revenue"}
    assert treated(found)["p_value"] == pytest.approx(
        stats.ttest_ind(*parts, equal_var=False).pvalue, rel=1e-6
    )
    assert "order_id (an id)" in err


@pytest.mark.parametrize("options", [(), ("--metric", "orders:mean")])
def test_padded_cells(analyze, options: tuple[str, ...]) -> None:
    code, found, _ = analyze(CASES / "padded-cells" / "tabs.csv", *options)
    assert code == 0
    assert {row["mean"] for row in rows_of(found)} == {2.0}


def test_covariate_unused_unsaid(analyze) -> None:
    path = CASES / "covariate-unused-unsaid" / "prer.csv"
    _, found, _ = analyze(path, "--metric", "y/d", "--metric", "y:median", "--covariate", "pre")
    assert found["notes"] == ["pre is not used for y: percentile takes no covariates"]
    frame = pl.read_csv(path)
    line = np.empty(frame.height)
    for arm in ("control", "t"):
        at = (frame["variant"] == arm).to_numpy()
        y, d = frame["y"].to_numpy()[at], frame["d"].to_numpy()[at]
        line[at] = y.sum() / d.sum() + (y - y.sum() / d.sum() * d) / d.mean()
    x = np.column_stack([np.ones(frame.height), frame["variant"] == "t", frame["pre"]])
    fit = sm.OLS(line, x).fit(cov_type="HC2")
    row = treated(found, metric="y/d")
    assert row["lift_abs"] == pytest.approx(fit.params[1], rel=1e-9)
    assert row["lift_std_error"] == pytest.approx(fit.bse[1], rel=1e-3)


def test_covariate_with_gaps(analyze) -> None:
    path = CASES / "covariate-with-gaps" / "cuped_missing.csv"
    _, found, err = analyze(path, "--metric", "y:mean", "--covariate", "pre")
    frame = pl.read_csv(path)
    gap = frame["pre"].is_null().cast(float)
    x = np.column_stack([np.ones(frame.height), frame["arm"] == "treat", frame["pre"].fill_null(0), gap])
    fit = sm.OLS(frame["y"].to_numpy(), x).fit(cov_type="HC2")
    row = treated(found)
    assert row["lift_abs"] == pytest.approx(fit.params[1], rel=1e-9)
    assert row["lift_std_error"] == pytest.approx(fit.bse[1], rel=1e-3)
    assert "pre is missing for 250 units" in err


def test_several_covariates_small(analyze) -> None:
    path = CASES / "several-covariates-small" / "multicov_small.csv"
    names = [f"x{i}" for i in range(6)]
    options = [word for name in names for word in ("--covariate", name)]
    _, found, _ = analyze(path, "--metric", "y:mean", *options)
    frame = pl.read_csv(path)
    x = np.column_stack([np.ones(frame.height), frame["arm"] == "treat", frame.select(names).to_numpy()])
    fit = sm.OLS(frame["y"].to_numpy(), x).fit()
    row = treated(found)
    assert row["lift_abs"] == pytest.approx(fit.params[1], rel=1e-9)
    assert row["lift_std_error"] == pytest.approx(fit.bse[1], rel=1e-2)
    assert row["p_value"] == pytest.approx(fit.pvalues[1], abs=2e-3)


def test_leaked_covariate_named(analyze) -> None:
    _, found, _ = analyze(
        CASES / "leaked-covariate-named" / "leak.csv", "--metric", "y:mean", "--covariate", "leak"
    )
    (decision,) = found["decisions"]
    assert "leak before exposure: 10.5 in t and 9.909 in control" in decision["sentence"]
