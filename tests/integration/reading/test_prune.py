"""Retention: a dry run lists, a real run drops, and nothing else in the warehouse changes, now or later."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import duckdb
import polars as pl
import pytest
import yaml
from tests.oracle.homes import DrivenHome
from tests.oracle.worlds import EXPERIMENTS, FIRST_DAY, LAST_DAY, MIDNIGHT, LandedFile, make_events, split
from typer.testing import CliRunner

from fairsplit.orchestration.cli import app, commands  # noqa: F401
from fairsplit.orchestration.lifecycle.assigning import assign_population
from fairsplit.orchestration.privacy import pruning

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.integration


MAILING = """\
id: mail
name: A mailing
owner: growth@example.com
type: ab
status: completed
assignment: batch
start: {start}
end: {end}
variants: [{{id: control, control: true}}, {{id: letter}}]
metrics: {{primary: [checkout_conversion]}}
"""


def run(*words: str) -> str:
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.exception
    return done.output


def test_a_stored_list_goes_from_home_and_exports_and_every_number_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = DrivenHome(tmp_path, EXPERIMENTS)
    mailing = MAILING.format(start=FIRST_DAY, end=FIRST_DAY + timedelta(days=8))
    for name in ("mail", "silent"):
        text = mailing.replace("id: mail", f"id: {name}")
        (home.catalog / "experiments" / f"{name}.yaml").write_text(text)
    monkeypatch.setenv("FAIRSPLIT_HOME", str(home.home.root))
    monkeypatch.setenv("FAIRSPLIT_CATALOG", str(home.catalog))
    people = pl.DataFrame({"unit_id": [f"u{number}" for number in range(40)]})
    arms = {}
    for name in ("mail", "silent"):
        assigned = assign_population(home.home, home.definitions().catalogue, name, people)
        arms[name] = dict(assigned.table.select("unit_id", "variant").iter_rows())
    views = [
        {
            "event_id": f"mail-{unit}",
            "event_name": "experiment_viewed",
            "occurred_at": f"{(MIDNIGHT + timedelta(days=1)).isoformat()}Z",
            "user_id": unit,
            "experiment_id": "mail",
            "variation_id": arm,
        }
        for unit, arm in arms["mail"].items()
    ]
    for file in split(5, make_events(5)):
        home.land(file)
    home.land(
        LandedFile(
            "mail.ndjson", "".join(json.dumps(row) + "\n" for row in views), MIDNIGHT + timedelta(days=20), []
        )
    )
    home.ingest()
    home.build(LAST_DAY)
    home.judge()
    run("export")
    current = home.home.exports / "current" / "assignments"
    assert {"mail.parquet", "silent.parquet"} <= {path.name for path in current.iterdir()}
    project = home.catalog / "project.yaml"
    settings = yaml.safe_load(project.read_text()) | {"retention": {"assignments": "3d"}}
    project.write_text(yaml.safe_dump(settings))
    home.ingest()
    before = home.hashes()
    audit = home.query("select * from results.validity where \"check\" = 'audit' order by all")
    assert ("mail", "pass") in {(row[0], row[-1]) for row in home.query(AUDITS)}

    listed = json.loads(run("prune", "--format", "json"))["experiments"]
    # One was never seen in an event: its list is about people all the same.
    assert [(row["experiment_id"], row["rows"], row["listed"]) for row in listed] == [
        ("mail", 40, 40),
        ("silent", 0, 40),
    ]
    assert len(list(home.home.assignments.glob("*.parquet"))) == 2
    run("prune", "--yes")
    assert list(home.home.assignments.iterdir()) == []
    assert list(home.home.exports.glob("*/assignments/mail.parquet")) == []
    assert list(home.home.exports.glob("*/assignments/silent.parquet")) == []
    for _ in range(2):
        after = home.hashes()
        assert {name for name in before if before[name] != after[name]} == {"fct_assignments"}
        assert home.query("select * from results.validity where \"check\" = 'audit' order by all") == audit
        # The next run no longer finds the list.
        home.ingest()
        home.build(LAST_DAY)
        home.judge()
    assert json.loads(run("prune", "--format", "json"))["experiments"] == []


AUDITS = "select experiment_id, status from results.validity where \"check\" = 'audit'"


def assignments_in_files(home: Path, experiment: str) -> dict[str, int]:
    """Rows of assignments of an experiment in every database of the home, and files that list its units."""
    found = {}
    for path in home.rglob("*"):
        where = str(path.relative_to(home))
        if path.suffix == ".duckdb":
            with duckdb.connect(str(path), read_only=True) as connection:
                query = "select count(*) from fct_assignments where experiment_id = ?"
                found[where] = connection.execute(query, [experiment]).fetchall()[0][0]
        elif path.name == f"{experiment}.parquet":
            found[where] = pl.read_parquet(path).height
    return found


def test_an_archived_experiment_leaves_every_file_of_the_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = replace(EXPERIMENTS[0], end=MIDNIGHT + timedelta(days=8))
    home = DrivenHome(tmp_path, (ended, *EXPERIMENTS[1:]))
    monkeypatch.setenv("FAIRSPLIT_HOME", str(home.home.root))
    monkeypatch.setenv("FAIRSPLIT_CATALOG", str(home.catalog))
    for file in split(5, make_events(5)):
        home.land(file)
    home.ingest()
    home.build(LAST_DAY)
    home.judge()
    home.export()
    definition = home.catalog / "experiments" / f"{ended.id}.yaml"
    definition.write_text(definition.read_text().replace("status: running", "status: archived"))
    project = home.catalog / "project.yaml"
    settings = yaml.safe_load(project.read_text()) | {"retention": {"assignments": "3d"}}
    project.write_text(yaml.safe_dump(settings))
    before = home.export()
    rows = assignments_in_files(home.home.root, ended.id)
    current = f"exports/{before.version}/fairsplit.duckdb"
    assert rows["warehouse.duckdb"] == rows[current] > 0
    with duckdb.connect(str(home.home.root / current), read_only=True) as snapshot:
        others = snapshot.execute(OTHERS, [ended.id]).fetchall()
    assert others
    config = (before.path / "ufc.json").read_bytes()

    with monkeypatch.context() as context:
        context.delattr(pruning, "_drop")  # as good as killed once the exports are clean
        assert CliRunner().invoke(app, ["prune", "--yes"]).exit_code == 1
    run("prune", "--yes")
    assert set(assignments_in_files(home.home.root, ended.id).values()) == {0}
    after = home.home.exports / "current"
    assert (after / "ufc.json").read_bytes() == config
    with duckdb.connect(str(after / "fairsplit.duckdb"), read_only=True) as snapshot:
        assert snapshot.execute(OTHERS, [ended.id]).fetchall() == others
    assert not home.export().changed


OTHERS = "from fct_assignments where experiment_id <> ? order by all"


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
