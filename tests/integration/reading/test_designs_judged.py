"""Case `list-judged-as-simple` through the whole pipeline: a stratified list, its strata in the warehouse, its rows."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
import yaml
from tests.oracle.homes import DrivenHome
from tests.oracle.worlds import LandedFile

from fairsplit.assignment_exports.designs.assigning import Design
from fairsplit.orchestration.lifecycle.assigning import assign_population
from fairsplit.orchestration.reading.explain import explain
from fairsplit.orchestration.warehouse.opening import writer

pytestmark = [
    pytest.mark.integration,
    # dbt leaves its log file to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning"),
]
START, LAST = date(2026, 1, 5), date(2026, 1, 16)
SIZES = {"small": 20, "middle": 40, "large": 60}
#: Revenue by size of the customer, and what the mailing adds.
LEVELS, EFFECT = {"small": 10.0, "middle": 100.0, "large": 500.0}, 2.0


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[DrivenHome, pl.DataFrame]:
    home = DrivenHome(tmp_path_factory.mktemp("listed"), ())
    content = {
        "id": "mailing",
        "name": "mailing",
        "owner": "growth@example.com",
        "type": "ab",
        "assignment": "batch",
        "status": "running",
        "start": str(START),
        "end": str(START + timedelta(days=3)),
        "traffic": 1.0,
        "variants": [{"id": "control", "control": True}, {"id": "letter"}],
        "metrics": {"primary": ["revenue_per_user"], "secondary": ["checkout_conversion"]},
        "plan": {"min_sample": 10, "cuped_days": 0},
    }
    (home.catalog / "experiments" / "mailing.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    population = pl.DataFrame(
        [
            {"unit_id": f"{size}-{number}", "size": size}
            for size, units in SIZES.items()
            for number in range(units)
        ]
    )
    listed = assign_population(
        home.home, home.definitions().catalogue, "mailing", population, design=Design("stratified", ("size",))
    ).table
    noise = np.random.default_rng(3).normal(0, 1, listed.height).round(2)
    listed = listed.with_columns(
        size=pl.col("unit_id").str.split("-").list.first(), noise=pl.Series(noise)
    ).with_columns(
        value=(
            pl.col("size").replace_strict(LEVELS) + EFFECT * (pl.col("variant") == "letter") + pl.col("noise")
        ).round(2)
    )
    rows = []
    for unit in listed.iter_rows(named=True):
        at = {"user_id": unit["unit_id"], "occurred_at": f"{START + timedelta(days=len(rows) % 3)}T10:00:00Z"}
        rows.append(
            {"event_id": f"v{len(rows)}", "event_name": "experiment_viewed", **at}
            | {"experiment_id": "mailing", "variation_id": unit["variant"]}
        )
        paid = at | {"occurred_at": at["occurred_at"].replace("T10", "T11")}
        rows.append({"event_id": f"p{len(rows)}", "event_name": "purchase", "value": unit["value"], **paid})
    text = "".join(json.dumps(row) + "\n" for row in rows)
    home.land(LandedFile("events.ndjson", text, datetime(2026, 1, 17), ()))  # noqa: DTZ001
    home.ingest()
    home.build(LAST)
    home.judge()
    return home, listed


def test_list_judged_as_simple_is_judged_by_its_strata(made) -> None:
    home, listed = made
    row = home.records(
        "from results.comparisons where metric = 'revenue_per_user' and variant_id = 'letter'"
        " and analysis = 'default' and segment = 'all' order by cut_off"
    )[-1]
    diff = variance = 0.0
    for size, units in SIZES.items():
        share = units / sum(SIZES.values())
        arms = [
            listed.filter((pl.col("size") == size) & (pl.col("variant") == arm))["value"].to_numpy()
            for arm in ("control", "letter")
        ]
        diff += share * (arms[1].mean() - arms[0].mean())
        variance += share**2 * sum(arm.var(ddof=1) / arm.size for arm in arms)
    assert (row["stratified_by"], row["strata"], row["left_out"]) == ("design", 3, 0)
    assert row["lift_abs"] == pytest.approx(diff, rel=1e-9)
    assert row["lift_std_error"] == pytest.approx(np.sqrt(variance), rel=1e-9)
    assert row["p_value"] < 1e-6


def test_the_sums_of_strata_are_those_of_the_arms(made) -> None:
    home, _ = made
    with writer(home.home.warehouse) as connection:
        found = explain(connection, home.definitions(), "mailing", "revenue_per_user")
    assert found["disagreements"] == []
    assert all(step["agrees"] for steps in found["steps"].values() for step in steps)
