"""The gate on real data: a known randomisation fault withholds verdicts, a borderline split only warns."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest

from fairsplit.analysis.catalogue.project import Thresholds
from fairsplit.analysis.judgement.split import split_rows

DAY = date(2014, 1, 1)


def judged(arms: pl.DataFrame) -> pl.DataFrame:
    """The sample-ratio rows of experiments with equal weights whose units all came on one day."""
    daily = arms.select(
        "experiment_id",
        pl.lit("all").alias("segment"),
        pl.lit("all").alias("segment_level"),
        pl.lit(DAY).alias("exposure_day"),
        pl.lit(0).alias("phase"),
        "variant_id",
        "units",
    )
    share = 1.0 / pl.len().over("experiment_id")
    weights = arms.select(
        "experiment_id", pl.lit(0, pl.Int64).alias("phase"), "variant_id", share.alias("weight")
    )
    ended = pl.Series([], dtype=pl.String)
    return split_rows(daily, weights, ended, Thresholds(), DAY).filter(pl.col("check") == "srm")


@pytest.fixture(scope="module")
def upworthy(data_dir) -> pl.DataFrame:
    arms = pl.read_parquet(data_dir / "upworthy" / "upworthy_exploratory.parquet")
    return judged(
        arms.select(
            pl.col("clickability_test_id").alias("experiment_id"),
            pl.col("csv_row").cast(pl.String).alias("variant_id"),
            pl.col("impressions").alias("units"),
        )
    )


def test_exactly_the_headline_tests_with_a_faulty_split_are_withheld(upworthy, data_dir):
    known = pl.read_csv(data_dir / "upworthy" / "reference_per_test.csv")
    faulty = known.filter(pl.col("srm_p") < 0.001)
    withheld = upworthy.filter(pl.col("status") == "fail")
    assert withheld.height == 753
    assert set(withheld["experiment_id"]) == set(faulty["clickability_test_id"])
    assert faulty.group_by("in_fault_window").len().sort("in_fault_window")["len"].to_list() == [18, 735]


def test_cookie_cats_is_a_warning_with_its_number(data_dir, reference):
    counts = reference["cookie_cats"]["srm_5050"]["counts"]
    arms = pl.DataFrame({"experiment_id": ["gate"] * 2, "variant_id": ["30", "40"], "units": counts})
    found = judged(arms).to_dicts()[0]
    assert (found["status"], found["reason"]) == ("warn", "sample_ratio_mismatch")
    assert found["p_value"] == pytest.approx(reference["cookie_cats"]["srm_5050"]["p"], rel=1e-9)
    assert found["sentence"].endswith("the split is suspicious (p = 0.00861).")
