"""M56: a custom test through the pipeline: shown, barred, certified by the command, and then it decides."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from datetime import date, datetime
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest
import yaml
from scipy import stats
from tests.oracle.homes import DrivenHome
from tests.oracle.worlds import LandedFile
from tests.parts import install_example

from fairsplit.analysis.catalogue.shards import shard_ranges
from fairsplit.analysis.parts.installed import installed
from fairsplit.assignment_exports.bucketing import positions, shards
from fairsplit.orchestration.catalogue import loading
from fairsplit.orchestration.cli import main
from fairsplit.orchestration.judging.certificates import standing
from fairsplit.orchestration.provenance.code_hash import code_hash
from fairsplit.orchestration.reading.explain import explain
from fairsplit.orchestration.warehouse.opening import reader, writer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fairsplit.orchestration.catalogue.loading import Definitions

pytestmark = [
    pytest.mark.integration,
    # dbt leaves its log file to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning"),
]
LAST = date(2026, 1, 16)
METRIC, PART = "revenue_per_user", "robust.trimmed_mean"


class WithPart(DrivenHome):
    """A home whose revenue is judged by the custom test of the example."""

    def definitions(self) -> Definitions:
        found = super().definitions()
        metric = replace(found.metrics[METRIC], test=PART, cuped=False, definition_hash="by the part")
        return replace(found, metrics={**found.metrics, METRIC: metric})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[WithPart, dict[str, np.ndarray]]]:
    with pytest.MonkeyPatch.context() as patch:
        install_example(tmp_path_factory.mktemp("site"), patch)
        home = WithPart(tmp_path_factory.mktemp("custom"), ())
        content = {
            "id": "prices", "name": "Prices", "owner": "growth@example.com", "type": "ab", "status": "running",
            "start": "2026-01-05", "end": "2026-01-08", "traffic": 1.0,
            "variants": [{"id": "control", "control": True}, {"id": "round"}],
            "metrics": {"primary": [METRIC]}, "plan": {"min_sample": 50, "cuped_days": 0},
        }  # fmt: skip
        (home.catalog / "experiments" / "prices.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
        rng = np.random.default_rng(11)
        ids = [f"u{number}" for number in range(300)]
        ranges = shard_ranges({"control": 0.5, "round": 0.5})
        arm_of = np.array(list(ranges))[
            positions(list(ranges.values()), shards("prices-split", pl.Series(ids)))
        ]
        paid = np.round(rng.lognormal(1.0, 0.8, 300) * np.where(arm_of == "round", 1.6, 1.0), 2)
        rows = []
        for number, (user, arm, value) in enumerate(zip(ids, arm_of.tolist(), paid.tolist(), strict=True)):
            at = {"user_id": user, "occurred_at": f"2026-01-0{5 + number % 3}T10:00:00Z"}
            rows.append(
                {"event_id": f"v{number}", "event_name": "experiment_viewed", **at}
                | {"experiment_id": "prices", "variation_id": arm}
            )
            later = at | {"occurred_at": at["occurred_at"].replace("T10", "T11")}
            rows.append({"event_id": f"p{number}", "event_name": "purchase", "value": value, **later})
        arms = {arm: paid[arm_of == arm] for arm in ranges}
        text = "".join(json.dumps(row) + "\n" for row in rows)
        home.land(LandedFile("events.ndjson", text, datetime(2026, 1, 17), ()))  # noqa: DTZ001
        home.ingest()
        home.build(LAST)
        home.judge()
        yield home, arms
    installed.cache_clear()


def newest(home: WithPart) -> dict:
    (row,) = home.records(
        f"from results.comparisons where metric = '{METRIC}' and variant_id = 'round' and segment = 'all'"
        " and analysis = 'default' order by cut_off desc limit 1"
    )
    return row


def decision(home: WithPart) -> str:
    return home.query(f"select action from results.decisions where cut_off = '{LAST}'")[0][0]


def test_m56_from_landed_files_to_a_verdict(
    made, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home, arms = made
    before = newest(home)
    expected = stats.ttest_ind(arms["round"], arms["control"], equal_var=False, trim=0.2)
    assert before["method"] == PART
    assert before["p_value"] == pytest.approx(expected.pvalue, rel=1e-6)
    assert before["requirements_met"] is False
    assert decision(home) != "ship"
    assert before["code_hash"] != code_hash()

    monkeypatch.setenv("FAIRSPLIT_HOME", str(home.home.root))
    definitions = home.definitions()
    monkeypatch.setattr(loading, "read_definitions", lambda: definitions)
    monkeypatch.setattr(sys, "argv", ["fairsplit", "certify", METRIC, "--splits", "200", "--format", "json"])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 0
    said = json.loads(capsys.readouterr().out)
    assert [(one["part"], one["passed"]) for one in said["parts"]] == [(PART, True)]
    methods = {row["method"]: row["declared"] for row in said["rates"]}
    assert methods == {PART: True, "welch": False, "mann_whitney": False, "kolmogorov_smirnov": False}

    assert home.judge()[-1] == LAST
    assert home.judge() == []
    after = newest(home)
    assert (after["requirements_met"], decision(home)) == (True, "ship")
    assert (home.home.root / "journals" / "journal.certificates.parquet").is_file()
    numbers = ("p_value", "lift_abs", "lift_abs_low", "lift_abs_high", "code_hash")
    assert [after[name] for name in numbers] == [before[name] for name in numbers]


def test_m56_another_definition_or_code_has_no_certificate(made) -> None:
    home, _ = made
    changed = replace(home.definitions().metrics[METRIC], definition_hash="another")
    with reader(home.home.warehouse) as connection:
        (row,) = standing(connection, {METRIC: changed})
    assert not row["passed"]
    assert row["reason"] == "no certificate of this code and definition"


def test_m56_a_walk_back_names_the_part_and_agrees(made) -> None:
    home, _ = made
    with writer(home.home.warehouse) as connection:
        found = explain(connection, home.definitions(), "prices", METRIC)
    assert all(step["agrees"] for steps in found["steps"].values() for step in steps)
    assert any(PART in str(step["formula"]) for step in found["steps"]["round"])
    assert "mean" in {step["name"] for step in found["steps"]["round"]}
