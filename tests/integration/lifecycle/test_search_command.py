"""M37: a search from landed files to the draft of its next batch, by the commands."""

from __future__ import annotations

import json
import sys
from datetime import date, datetime

import numpy as np
import polars as pl
import pytest
import yaml
from tests.oracle.homes import DrivenHome
from tests.oracle.worlds import LandedFile

from fairsplit.analysis.catalogue.shards import shard_ranges
from fairsplit.assignment_exports.bucketing import positions, shards
from fairsplit.orchestration.cli import main
from fairsplit.orchestration.judging.searching import judge_searches
from fairsplit.orchestration.warehouse.opening import writer

pytestmark = [
    pytest.mark.integration,
    # dbt leaves its log file to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning"),
]
SIZES = {"control": 12, "small": 16, "large": 28}


@pytest.fixture
def home(tmp_path) -> DrivenHome:
    home = DrivenHome(tmp_path / "searching", ())
    content = {
        "id": "hero", "name": "Hero", "owner": "growth@example.com", "type": "abn", "status": "running",
        "start": "2026-01-05", "end": "2026-01-08", "traffic": 1.0,
        "config_schema": {"type": "object", "properties": {"size": {"type": "integer", "maximum": 30}}},
        "variants": [
            {"id": arm, "control": arm == "control", "config": {"size": size, "words": "Buy"}}
            for arm, size in SIZES.items()
        ],
        "metrics": {"primary": [{"metric": "revenue_per_user", "minimum_effect": {"absolute": 0.5}}]},
        "plan": {"min_sample": 50, "cuped_days": 0},
        "search": {"parameters": {"size": {"from": 10, "to": 30}}, "batch": 2},
    }  # fmt: skip
    (home.catalog / "experiments" / "hero.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    ids = [f"u{number}" for number in range(600)]
    ranges = shard_ranges(dict.fromkeys(SIZES, 1 / 3))
    arm_of = np.array(list(ranges))[positions(list(ranges.values()), shards("hero-split", pl.Series(ids)))]
    noise = np.random.default_rng(4).normal(0, 0.5, 600)
    rows = []
    for number, (user, arm) in enumerate(zip(ids, arm_of.tolist(), strict=True)):
        at = {"user_id": user, "occurred_at": f"2026-01-0{5 + number % 3}T10:00:00Z"}
        # Best at 22.
        value = round(10 - (SIZES[arm] - 22) ** 2 / 20 + noise[number], 2)
        rows += [
            {"event_id": f"v{number}", "event_name": "experiment_viewed", **at, "experiment_id": "hero",
             "variation_id": arm},
            {"event_id": f"p{number}", "event_name": "purchase", "value": value, **at,
             "occurred_at": at["occurred_at"].replace("T10", "T11")},
        ]  # fmt: skip
    text = "".join(json.dumps(row) + "\n" for row in rows)
    home.land(LandedFile("events.ndjson", text, datetime(2026, 1, 17), ()))  # noqa: DTZ001
    home.ingest()
    home.build(date(2026, 1, 16))
    home.judge()
    return home


def test_m37_the_next_batch_is_written_and_validates(
    home: DrivenHome, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with writer(home.home.warehouse) as connection:
        rows = judge_searches(connection, home.definitions())
    assert rows["kind"].value_counts(sort=True).rows() == [("surface", 9), ("tried", 2), ("proposed", 2)]
    acts = home.records(
        "from results.next_actions where action like '%variant' order by cut_off desc limit 2"
    )
    assert all("fairsplit search propose hero" in act["sentence"] for act in acts)

    monkeypatch.setenv("FAIRSPLIT_HOME", str(home.home.root))
    monkeypatch.setenv("FAIRSPLIT_CATALOG", str(home.catalog))
    monkeypatch.setattr(sys, "argv", ["fairsplit", "search", "propose", "hero", "--format", "json"])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 0
    said = json.loads(capsys.readouterr().out)
    proposed = [row["parameters"] for row in rows.filter(kind="proposed").to_dicts()]
    assert [json.dumps(arm["parameters"]) for arm in said["arms"]] == proposed
    draft = home.definitions().catalogue.experiments[said["experiment"]]
    assert (draft.status, draft.search.follows, draft.metrics.primary[0].metric) == (
        "draft",
        "hero",
        "revenue_per_user",
    )
    assert [arm.config["words"] for arm in draft.variants] == ["Buy"] * 3
    assert any(17 <= arm.config["size"] <= 27 for arm in draft.variants[1:])

    monkeypatch.setattr(sys, "argv", ["fairsplit", "search", "propose", "hero"])
    with pytest.raises(SystemExit):
        main()
    assert "a later batch of this search exists (hero: the newest: hero_2)" in capsys.readouterr().err
