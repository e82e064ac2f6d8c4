"""Which column plays which part, what a row is, and what the figures are then."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import statsmodels.api as sm
from scipy import stats
from tests.unit.flat_files.rows import rows_of, treated


def test_an_arms_mean_sd_and_units_give_welch(analyze, tmp_path: Path) -> None:
    path = tmp_path / "summary.csv"
    path.write_text("arm,n,mean,sd\ncontrol,400,10.25,3.5\nt,380,11.5,4.25\n")
    expected = stats.ttest_ind_from_stats(11.5, 4.25, 380, 10.25, 3.5, 400, equal_var=False)
    for options in ((), ("--by", "arm", "--metric", "mean/sd/n")):
        _, found, _ = analyze(path, *options)
        row = treated(found)
        assert (row["statistic"], row["p_value"]) == pytest.approx(expected, rel=1e-6)
        (split,) = found["validity"]
        assert split["p_value"] == pytest.approx(stats.chisquare([400, 380]).pvalue, rel=1e-6)


def test_the_split_alone_is_judged_where_no_metric_is(analyze, tmp_path: Path) -> None:
    path = tmp_path / "split.csv"
    path.write_text("arm,units\ncontrol,5000\nt,5200\n")
    for options in ((), ("--units", "units")):
        _, found, _ = analyze(path, *options)
        (split,) = found["validity"]
        assert (split["status"], found["comparisons"]) == ("pass", [])
        assert split["p_value"] == pytest.approx(stats.chisquare([5000, 5200]).pvalue, rel=1e-6)
        said = "Only the split is judged, and it may be read on: no metric is given."
        assert found["decisions"][0]["sentence"] == said
    path.write_text("user_id,arm\n" + "".join(f"u{i},{'ab'[i % 5 == 0]}\n" for i in range(1000)))
    _, found, err = analyze(path)
    assert found["decisions"][0]["action"] == "fix_data"
    assert "no column looks like a metric" in err


def test_each_experiment_may_have_its_split(analyze, tmp_path: Path) -> None:
    rows = [("x", arm) for arm, n in (("control", 500), ("t", 510)) for _ in range(n)]
    rows += [("y=z", arm) for arm, n in (("control", 900), ("t", 100)) for _ in range(n)]
    path = tmp_path / "many.csv"
    path.write_text("test,arm,y\n" + "".join(f"{test},{arm},{i % 3}\n" for i, (test, arm) in enumerate(rows)))
    options = ("--experiment", "test", "--variant", "arm", "--metric", "y:mean")
    _, found, _ = analyze(path, *options, "--ratio", "1:1", "--ratio", "y=z=9:1")
    assert {row["experiment_id"]: row["status"] for row in found["validity"]} == {"x": "pass", "y=z": "pass"}
    _, found, _ = analyze(path, *options)
    assert {row["experiment_id"]: row["status"] for row in found["validity"]} == {"x": "pass", "y=z": "fail"}
    code, _, err = analyze(path, *options, "--ratio", "z=9:1")
    assert (code, "no such experiment (z" in err) == (1, True)


EVENTS = pl.DataFrame(
    {
        "user_id": [f"u{i // 3}" for i in range(900)],
        "arm": [("a", "b")[(i // 3) % 2] if i % 60 != 2 else ("b", "a")[(i // 3) % 2] for i in range(900)],
        "y": [float(i * 31 % 17) for i in range(900)],
    }
)


@pytest.mark.parametrize("choice", ["include", "exclude"])
def test_units_in_two_arms_stay_in_the_first_or_are_left_out(analyze, tmp_path: Path, choice: str) -> None:
    path = tmp_path / "events.csv"
    EVENTS.write_csv(path)
    options = ("--by", "event", "--unit", "user_id", "--metric", "y:mean", "--crossovers", choice)
    _, found, err = analyze(path, *options)
    users = EVENTS.group_by("user_id").agg(
        pl.col("arm").first(), pl.col("y").sum(), arms=pl.col("arm").n_unique()
    )
    assert f"{users.filter(pl.col('arms') > 1).height} units seen in two arms" in err or choice == "exclude"
    kept = users if choice == "include" else users.filter(pl.col("arms") == 1)
    parts = [kept.filter(arm=arm)["y"].to_numpy() for arm in ("b", "a")]
    assert treated(found)["p_value"] == pytest.approx(
        stats.ttest_ind(*parts, equal_var=False).pvalue, rel=1e-6
    )
    assert sum(row["n"] for row in rows_of(found)) == kept.height
    (check,) = (check for check in found["validity"] if check["check"] == "crossovers")
    assert check["sentence"].startswith("15 of 300 units")


@pytest.mark.parametrize("adjusted", [False, True])
@pytest.mark.parametrize("metric", ["y:mean", "won:proportion", "y/visits"])
def test_clusters_equal_a_regression_with_clustered_errors(
    analyze, tmp_path: Path, metric: str, *, adjusted: bool
) -> None:
    rng = np.random.default_rng(5)
    size, school = 2400, rng.integers(0, 300, 2400)
    effect, before = rng.normal(0, 1, 300)[school], rng.normal(0, 1, size)
    y = 20 + effect + before + rng.normal(0, 1, size) + 0.3 * (school % 2)
    frame = pl.DataFrame(
        {
            "school": [f"s{i}" for i in school],
            "arm": [("a", "b")[i % 2] for i in school],
            "before": before,
            "y": y,
            "won": (effect + before > 0).astype(int),
            "visits": rng.poisson(3, size) + 1,
            "kind": rng.choice(["x", "z"], size),
        }
    )
    path = tmp_path / "schools.parquet"
    frame.write_parquet(path)
    extra = ("--covariate", "before") if adjusted else ()
    _, found, _ = analyze(
        path, "--variant", "arm", "--metric", metric, "--cluster", "school", "--segment", "kind", *extra
    )
    for segment, part in (("all", frame), ("kind", frame.filter(kind="x"))):
        top, _, bottom = metric.partition(":")[0].partition("/")
        line = part[top].cast(pl.Float64).to_numpy()
        if bottom:
            d = part[bottom].to_numpy()
            ratio = {
                arm: part.filter(arm=arm)[top].sum() / part.filter(arm=arm)[bottom].sum() for arm in "ab"
            }
            means = {arm: part.filter(arm=arm)[bottom].mean() for arm in "ab"}
            line = np.array(
                [
                    ratio[a] + (v - ratio[a] * w) / means[a]
                    for a, v, w in zip(part["arm"], line, d, strict=True)
                ]
            )
        columns = [np.ones(part.height), (part["arm"] == "b").to_numpy()]
        columns += [part["before"].to_numpy()] if adjusted else []
        groups = {"groups": part["school"].rank("dense").to_numpy()}
        fit = sm.OLS(line, np.column_stack(columns)).fit(cov_type="cluster", cov_kwds=groups)
        level = {} if segment == "all" else {"segment_level": "x"}
        row = treated(found, segment=segment, **level)
        # With a covariate the slope is the clusters', not the rows': nearly the same estimate.
        near = 0.15 * fit.bse[1] if adjusted else 1e-9
        assert row["lift_abs"] == pytest.approx(fit.params[1], abs=near)
        assert row["lift_std_error"] == pytest.approx(fit.bse[1], rel=0.05 if adjusted else 0.005)
    assert sum(row["n"] for row in rows_of(found)) == frame["school"].n_unique()


@pytest.mark.parametrize("kind", ["median", "p90", "mann_whitney", "ks"])
def test_clusters_are_refused_where_every_value_counts(analyze, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "events.csv"
    EVENTS.write_csv(path)
    code, _, err = analyze(path, "--metric", f"y:{kind}", "--cluster", "user_id", "--crossovers", "exclude")
    assert (code, "this type takes no clusters" in err) == (1, True)


def test_spellings_of_an_arm_are_one_unless_said_otherwise(analyze, tmp_path: Path) -> None:
    path = tmp_path / "spelt.csv"
    arms = ["Control", "control ", "tre\u0301s", "tr\u00e9s", "CONTROL", "tr\u00c9s"]
    path.write_text("arm,y\n" + "".join(f"{arms[i % 6]},{i % 7}\n" for i in range(420)))
    _, found, err = analyze(path, "--metric", "y:mean")
    assert sorted(row["n"] for row in rows_of(found)) == [210, 210]
    assert "'CONTROL' and 'Control'" in err
    assert "--arms-as-written" in err
    _, found, _ = analyze(path, "--metric", "y:mean", "--arms-as-written", "--control", "Control")
    assert len(rows_of(found)) == 6


@pytest.mark.parametrize(
    ("arms", "control"),
    [
        (("a new design", "control"), "control"),
        (("A", "B"), "A"),
        (("variant 10", "variant 9"), "variant 9"),
        (("02", "01"), "01"),
        (("old page", "new page"), "old page"),
        (("treatment", "no-show reminder", "control"), "control"),
        (("blue", "red"), None),
        (("control", "placebo"), None),
        (("off", "default"), None),
    ],
)
def test_the_control_is_the_best_name_or_asked_for(
    analyze, tmp_path: Path, arms: tuple[str, ...], control: str | None
) -> None:
    path = tmp_path / "arms.csv"
    path.write_text("arm,y\n" + "".join(f"{arms[i % len(arms)]},{i % 7}\n" for i in range(420)))
    code, found, err = analyze(path, "--metric", "y:mean")
    if control is None:
        assert (code, "--control: which arm is the control?" in err) == (1, True)
    else:
        assert {row["comparison"] for row in rows_of(found)} == {None, control}


@pytest.mark.parametrize(
    ("columns", "arm"),
    [
        ({"groupSize": [2, 3], "variant": ["a", "b"]}, "variant"),
        ({"test_version": ["x", "z"], "experiment_group": ["control", "new"]}, "experiment_group"),
        ({"page": ["control", "new"], "country": ["DE", "FR"]}, "page"),
        ({"group": ["a", "b"], "variant": ["a", "b"]}, None),
    ],
)
def test_the_arm_is_the_best_column_or_asked_for(
    analyze, tmp_path: Path, columns: dict[str, list[Any]], arm: str | None
) -> None:
    path = tmp_path / "columns.csv"
    frame = pl.DataFrame({name: [its[i % 2] for i in range(100)] for name, its in columns.items()})
    frame.with_columns(y=pl.int_range(pl.len()) * 7 % 11).write_csv(path)
    code, _, err = analyze(path, "--metric", "y:mean")
    wanted = "which column is the arm?" if arm is None else f"the arm is in column {arm}"
    assert (code, wanted in err) == (arm is None, True)


def test_ids_codes_years_and_counters_are_no_metrics(analyze, tmp_path: Path) -> None:
    size = 200
    frame = pl.DataFrame(
        {
            "": range(size),
            "Unnamed: 0": range(size),
            "arm": [("a", "b")[i % 2] for i in range(size)],
            "customerId": range(1000, 1000 + size),
            "zip": [f"0{1000 + i}" for i in range(size)],
            "plz_code": [10000 + i * 7 % 500 for i in range(size)],
            "birth_year": [1950 + i % 50 for i in range(size)],
            "cohort": [2020 + i % 5 for i in range(size)],
            "created": [1767225600 + i * 37 % 999 for i in range(size)],
            "same": [4] * size,
            "pre_spend": [i % 9 for i in range(size)],
            "spend": [i * 13 % 29 for i in range(size)],
        }
    )
    path = tmp_path / "wide.csv"
    frame.write_csv(path)
    _, found, err = analyze(path)
    assert {row["metric"] for row in found["comparisons"]} == {"spend"}
    assert all(f"{name} (" in err for name in ("zip", "plz_code", "birth_year", "cohort", "created", "same"))


def test_a_household_beside_the_persons_id_is_noticed(analyze, tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "user_id": [f"u{i}" for i in range(300)],
            "household_id": [f"h{i // 3}" for i in range(300)],
            "store_id": [f"s{i % 7}" for i in range(300)],
            "arm": [("a", "b")[(i // 3) % 2] for i in range(300)],
            "y": [i * 13 % 29 for i in range(300)],
        }
    )
    path = tmp_path / "people.csv"
    frame.write_csv(path)
    code, _, err = analyze(path, "--metric", "y:mean")
    assert (code, "--cluster household_id" in err) == (1, True)
    code, _, err = analyze(path, "--metric", "y:mean", "--unit", "user_id")
    assert (code, "--cluster household_id" in err, "store_id" in err) == (0, True, False)
    code, _, err = analyze(path, "--metric", "y:mean", "--cluster", "household_id")
    assert (code, "independent" in err) == (0, False)


def test_sums_of_events_beyond_the_range_are_refused(analyze, tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    path.write_text("user_id,arm,y\n" + "".join(f"u{i % 3},{'ab'[i % 3 == 0]},{10**15}\n" for i in range(12)))
    code, _, err = analyze(path, "--by", "event", "--metric", "y:mean")
    assert (code, "--metric y: a unit's sum is too large (4e+15 of unit u0" in err) == (1, True)


def test_of_many_experiments_each_may_have_its_control(analyze, tmp_path: Path) -> None:
    path = tmp_path / "many.csv"
    rows = [("x", "blue"), ("x", "red"), ("y", "control"), ("y", "new")] * 50
    path.write_text(
        "test,arm,y\n" + "".join(f"{test},{arm},{i * 7 % 9}\n" for i, (test, arm) in enumerate(rows))
    )
    options = ("--experiment", "test", "--variant", "arm", "--metric", "y:mean")
    _, found, err = analyze(path, *options)
    assert {row["comparison"] for row in rows_of(found, experiment_id="x")} == {None, "blue"}
    assert "in 1 experiments no arm is called like a control" in err
    _, found, err = analyze(path, *options, "--control", "x=red")
    assert {row["comparison"] for row in rows_of(found, experiment_id="x")} == {None, "red"}
    assert {row["comparison"] for row in rows_of(found, experiment_id="y")} == {None, "control"}
    assert "no arm is called" not in err
    code, _, err = analyze(path, *options, "--control", "x=rad")
    assert (code, "did you mean 'red'?" in err) == (1, True)
    code, _, err = analyze(path, *options, "--control", "z=red")
    assert (code, "--control: no such experiment (z)" in err) == (1, True)


def test_seconds_since_1970_tell_the_day(analyze, tmp_path: Path) -> None:
    path = tmp_path / "days.csv"
    days = [
        (1767225600 + 86400 * day + i, "ab"[(i % 3 == 0) == (day == 0)]) for day in (0, 1) for i in range(600)
    ]
    path.write_text("arm,ts,y\n" + "".join(f"{arm},{at},{at % 7}\n" for at, arm in days))
    _, found, _ = analyze(path, "--variant", "arm", "--metric", "y:mean")
    daily = next(check for check in found["validity"] if check["check"] == "srm_day")
    assert daily["status"] == "fail"


@pytest.mark.parametrize("kind", ["proportion", "z"])
def test_a_share_with_covariates_of_any_scale_is_a_regression(analyze, tmp_path: Path, kind: str) -> None:
    rng = np.random.default_rng(8)
    before = rng.gamma(2.0, 13.7, 1200)
    arm = rng.integers(0, 2, 1200)
    won = (rng.random(1200) < 0.1 + before / 200 + 0.03 * arm).astype(int)
    path = tmp_path / "won.csv"
    pl.DataFrame({"arm": [("a", "b")[i] for i in arm], "won": won, "before": before}).write_csv(path)
    options = ("--metric", f"won:{kind}", "--covariate", "before")
    _, found, _ = analyze(path, *options)
    fit = sm.OLS(won, np.column_stack([np.ones(1200), arm, before])).fit(cov_type="HC2")
    row = treated(found)
    assert row["lift_abs"] == pytest.approx(fit.params[1], rel=1e-6)
    assert row["lift_std_error"] == pytest.approx(fit.bse[1], rel=1e-3)
    assert {its["variant_id"]: its["total"] for its in rows_of(found)} == {
        "a": won[arm == 0].sum(),
        "b": won[arm == 1].sum(),
    }


def test_arms_that_only_spelling_tells_apart_stay_apart(analyze, tmp_path: Path) -> None:
    path = tmp_path / "spelt.csv"
    path.write_text("arm,y\n" + "".join(f"{'aA'[i % 2]},{i % 7}\n" for i in range(420)))
    _, found, err = analyze(path, "--metric", "y:mean", "--control", "a")
    assert ({row["variant_id"] for row in rows_of(found)}, "are one" in err) == ({"a", "A"}, False)


@pytest.mark.parametrize("name", ["who", "klant", "badge"])
def test_a_column_that_the_arms_follow_is_told_whatever_it_is_called(
    analyze, tmp_path: Path, name: str
) -> None:
    path = tmp_path / "rows.csv"
    rows = "".join(f"p{i // 6},{'ab'[i // 6 % 2]},{i * 7 % 31}\n" for i in range(600))
    path.write_text(f"{name},arm,y\n{rows}")
    _, _, err = analyze(path, "--metric", "y:mean")
    assert f"override with --cluster {name}" in err


def test_ids_that_differ_by_blanks_are_told(analyze, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    rows = "".join(f"p{i // 2}{' ' * (i % 2)},{'ab'[i // 2 % 2]},{i * 7 % 31}\n" for i in range(600))
    path.write_text(f"user_id,arm,y\n{rows}")
    _, _, err = analyze(path, "--metric", "y:mean", "--by", "event")
    assert "ids that differ by blanks alone are apart" in err
