"""Retention: a dry run lists, a real run drops, and nothing else in the warehouse changes, now or later."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
import yaml
from typer.testing import CliRunner

from orchestration.cli import app, commands  # noqa: F401
from tests.oracle.homes import DrivenHome
from tests.oracle.worlds import EXPERIMENTS, LAST_DAY, MIDNIGHT, make_events, split

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.integration,
    pytest.mark.xdist_group("warehouse"),
    # dbt leaves its log file to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning"),
]


def test_assignments_past_their_retention_go_and_stay_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = replace(EXPERIMENTS[0], end=MIDNIGHT + timedelta(days=8))
    home = DrivenHome(tmp_path, (ended, *EXPERIMENTS[1:]))
    for file in split(5, make_events(5)):
        home.land(file)
    home.ingest()
    home.build(LAST_DAY)
    home.judge()
    project = home.catalog / "project.yaml"
    settings = yaml.safe_load(project.read_text()) | {"retention": {"assignments": "3d"}}
    project.write_text(yaml.safe_dump(settings))
    monkeypatch.setenv("FAIRSPLIT_HOME", str(home.home.root))
    monkeypatch.setenv("FAIRSPLIT_CATALOG", str(home.catalog))
    before = home.hashes()
    others = home.query(f"from fct_assignments where experiment_id <> '{ended.id}' order by all")
    rows = home.query(f"select count(*) from fct_assignments where experiment_id = '{ended.id}'")[0][0]
    assert rows > 0

    listed = json.loads(CliRunner().invoke(app, ["prune", "--format", "json"]).output)
    assert [(row["experiment_id"], row["rows"]) for row in listed["experiments"]] == [(ended.id, rows)]
    assert home.hashes() == before

    assert CliRunner().invoke(app, ["prune", "--yes"]).exit_code == 0
    home.judge()
    after = home.hashes()
    assert {name for name in before if before[name] != after[name]} == {"fct_assignments"}
    assert home.query("from fct_assignments order by all") == others
    assert home.query("select experiment_id, rows from journal.pruned") == [(ended.id, rows)]

    home.query("delete from work.state")  # everything is built anew
    home.build(LAST_DAY)
    home.judge()
    assert home.hashes() == after
    assert "no assignment is past its retention" in CliRunner().invoke(app, ["prune"]).output
