"""M30, M56: the badge of a scorecard and the page of rates."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest

from fairsplit.analysis.scorecards import certification, render_site
from fairsplit.analysis.scorecards.inputs import MetricView, SiteInputs

OLD, DAY = date(2026, 1, 18), date(2026, 1, 25)
METRICS = {
    name: MetricView(name, name.title(), "", "mean", "USD", "increase")
    for name in ("revenue", "clicks", "visits")
}


def row(metric: str, method: str, observed: float | None, *, flagged: bool = False, declared: bool = True,
        day: date = DAY) -> dict:  # fmt: skip
    known = observed is not None
    return {"cut_off": day, "metric": metric, "experiment_id": "cta", "method": method, "units": 5_000,
            "quantity": "false_positives" if known else None, "promised": 0.05 if known else None,
            "observed": observed, "low": observed and observed - 0.02, "high": observed and observed + 0.02,
            "flagged": flagged if known else None, "status": "ok" if known else "insufficient_sample",
            "reason": None if known else "fewer than 100 units", "declared": declared}  # fmt: skip


@pytest.fixture
def inputs() -> SiteInputs:
    rows = [
        row("revenue", "welch", 0.09, flagged=True, day=OLD),
        row("revenue", "welch", 0.051),
        row("revenue", "mann_whitney", 0.12, flagged=True, declared=False),
        row("clicks", "robust.trimmed_mean", 0.09, flagged=True),
        row("visits", "welch", None),
    ]
    return SiteInputs(cut_off=DAY, experiments=[], metrics=METRICS, aa_certification=pl.DataFrame(rows))


@pytest.mark.parametrize(
    ("names", "status", "words"),
    [
        ({"revenue"}, "pass", "its tests keep their promises."),
        ({"revenue", "visits"}, "pass", "for 1 of 2 metrics"),
        ({"revenue", "clicks"}, "warn", "the test of Clicks does not keep its promise"),
        ({"visits"}, "none", "not certified on real units yet"),
        (set(), "none", "not certified on real units yet"),
    ],
)
def test_m30_a_badge_is_of_the_newest_rates_of_the_tests_that_judge(inputs, names, status, words) -> None:
    found = certification.badge(certification.newest(inputs), names, METRICS)
    assert found.status == status
    assert words in found.sentence


def test_m30_the_page_shows_every_test_and_its_rates(inputs: SiteInputs) -> None:
    text = next(str(one.content) for one in render_site(inputs) if one.path == "certification.html")
    assert 'data-method="robust.trimmed_mean" data-flagged' in text
    assert "9.00%" in text
    assert "7.00% to 11.00%" in text
    assert "Not computed: fewer than 100 units" in text
    assert "2026-01-18" not in text
