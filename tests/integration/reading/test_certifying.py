"""A/A certification on a home's own units."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.oracle.worlds import EXPERIMENTS, LAST_DAY

from fairsplit.analysis.catalogue import load_metrics
from fairsplit.orchestration.definitions import defs
from fairsplit.orchestration.judging import certifying
from fairsplit.orchestration.project import DBT_PROJECT_DIR
from fairsplit.orchestration.warehouse.dbt import ensure_manifest
from fairsplit.orchestration.warehouse.opening import writer

if TYPE_CHECKING:
    from tests.oracle.homes import DrivenHome

pytestmark = pytest.mark.integration


def certified(home: DrivenHome, runs: int):
    with writer(home.home.warehouse) as connection:
        return certifying.certify_metrics(connection, home.definitions(), runs=runs)


def test_few_units_are_said_to_be_too_few(home: DrivenHome) -> None:
    rows = certified(home, 10)
    assert set(rows["metric"]) == {metric for one in EXPERIMENTS for metric in one.metrics}
    assert set(rows["status"]) == {"insufficient_sample"}
    assert rows["observed"].null_count() == rows.height


def test_every_metric_has_rates_with_intervals_and_reruns_are_equal(
    home: DrivenHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certifying, "MIN_UNITS", 1)
    rows = certified(home, 40)
    done = rows.filter(status="ok")
    assert set(done["quantity"]) >= {"false_positives", "coverage", "srm_alarms"}
    assert ((done["low"] <= done["observed"]) & (done["observed"] <= done["high"])).all()
    assert set(rows["cut_off"]) == {LAST_DAY}
    certified(home, 40)
    stored = home.query("from results.aa_certification order by metric, quantity")
    assert sorted(map(repr, stored)) == sorted(map(repr, rows.rows()))


def test_a_metric_is_certified_by_the_method_that_judges_it() -> None:
    metrics = load_metrics(DBT_PROJECT_DIR)
    expected = {
        "checkout_conversion": "proportion",
        "revenue_per_user": "welch",
        "ctr": "ratio_delta",
        "time_to_purchase": "ratio_delta",
        "revenue_p90": "percentile",
        "revenue_distribution": "mann_whitney",
    }
    found = {name: certifying.method_of(metrics[name], covariate=False) for name in expected}
    assert found == expected
    assert certifying.method_of(metrics["revenue_per_user"], covariate=True) == "cuped"
    assert certifying.method_of(metrics["ctr"], covariate=True) == "ratio_cuped"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_nightly_run_does_not_certify(home: DrivenHome) -> None:
    ensure_manifest(home.home)
    repository = defs().get_repository_def()
    names = {
        name: {node.name for node in repository.get_job(name).nodes} for name in ("daily", "certification")
    }
    assert "aa_certification" not in names["daily"]
    assert names["certification"] >= {"aa_certification"}
    assert sorted(one.name for one in repository.schedule_defs) == ["nightly", "weekly_certification"]
