"""Files whose control lies at or below zero: text, table and page say the same, by the difference."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import polars as pl
import pytest
from scipy import stats
from tests.unit.flat_files.rows import treated

from fairsplit.orchestration.cli import main

CASES = Path(os.environ.get("FAIRSPLIT_SHARED", "../shared")).resolve() / "cases"
pytestmark = pytest.mark.skipif(not CASES.exists(), reason="the shared cases are not beside the project")


def test_direction_negative_control(analyze) -> None:
    """Three arms below zero: the one nearest to zero gains most."""
    path = CASES / "direction-negative-control" / "neg_baseline_3arm.csv"
    _, found, _ = analyze(path, "--variant", "arm", "--metric", "profit")
    rows = {row["variant_id"]: row for row in found["comparisons"] if row["comparison"]}
    values = pl.read_csv(path)
    parts = [values.filter(arm=arm)["profit"].to_numpy() for arm in ("c_big", "control")]
    assert found["decisions"][0]["variant_id"] == "c_big"
    assert rows["c_big"]["lift_abs"] == pytest.approx(parts[0].mean() - parts[1].mean())
    assert rows["c_big"]["p_value"] == pytest.approx(
        stats.ttest_ind(*parts, equal_var=False).pvalue, rel=1e-6
    )
    assert {row["finding"] for row in rows.values()} == {"better"}


@pytest.mark.parametrize(
    ("direction", "word", "mark"), [("increase", "better", "▲"), ("decrease", "worse", "▲")]
)
def test_page_of_a_negative_control(monkeypatch, tmp_path, direction: str, word: str, mark: str) -> None:
    """The headline, the chip and the arrow of a page come from one judgement."""
    path = CASES / "direction-negative-control" / "neg_baseline_2arm.csv"
    words = ["--variant", "arm", "--metric", f"profit:mean:{direction}", "--format", "html"]
    words += ["--output", str(tmp_path / "page")]
    monkeypatch.setattr(sys, "argv", ["fairsplit", "analyze", str(path), *words])
    with pytest.raises(SystemExit):
        main()
    (page,) = (tmp_path / "page" / "experiments").glob("*.html")
    text = page.read_text(encoding="utf-8")
    verdict = text.partition('id="verdict">')[2].partition("</p>")[0]
    assert ("wins" if word == "better" else "loses") in verdict
    row = text.partition('data-metric="profit" data-variant="c_big"')[2].partition("</th>")[0]
    assert word in row
    assert mark in row


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("zero_mean.csv", ("--metric", "y:mean"), "Ship treat: y +1.00 ("),
        ("rare.csv", ("--by", "arm", "--metric", "conv/n"), "Ship treat: conv/n +0.060 pp ("),
        ("zero_baseline.csv", ("--metric", "net"), "Ship treat: net +0.88 (+0.17 to +1.59)."),
        ("ties.csv", ("--metric", "n:median"), "No verdict: n cannot be judged (ties at quantile)."),
    ],
)
def test_what_cannot_be_compared(analyze, name: str, options: tuple[str, ...], told: str) -> None:
    _, found, _ = analyze(CASES / "what-cannot-be-compared" / name, *options)
    assert found["decisions"][0]["sentence"].startswith(told)
    assert treated(found)["lift_rel"] is None


def test_secondary_harm_unsaid(analyze) -> None:
    """A verdict names another metric that is significantly worse."""
    path = CASES / "secondary-harm-unsaid" / "promo.csv"
    _, found, _ = analyze(path, "--metric", "purchase:proportion", "--metric", "margin:mean")
    sentence = found["decisions"][0]["sentence"]
    assert sentence.startswith("Ship promo: purchase +77.9% (")
    assert "; it does worse, however, in margin −" in sentence
