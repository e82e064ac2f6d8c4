"""The commands on a catalogue: file edited, log appended, refusals that change nothing."""

from __future__ import annotations

import json
import shutil
from datetime import datetime
from pathlib import Path

import duckdb
import pytest
from tests.problems import told
from typer.testing import CliRunner

from fairsplit.analysis.catalogue import load_catalogue, load_metrics
from fairsplit.orchestration.cli import app, commands  # noqa: F401
from fairsplit.orchestration.lifecycle.transitions import histories, note_definitions
from fairsplit.orchestration.project import DBT_PROJECT_DIR

ROOT = Path(__file__).parents[3]


@pytest.fixture
def catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "catalog"
    shutil.copytree(ROOT / "catalog", folder)
    (folder / "transitions.ndjson").unlink(missing_ok=True)
    monkeypatch.setenv("FAIRSPLIT_CATALOG", str(folder))
    monkeypatch.setenv("FAIRSPLIT_HOME", str(tmp_path / "home"))
    return folder


def run(*words: str):
    return CliRunner().invoke(app, ["experiment", *words])


def log(catalog: Path) -> list[dict]:
    path = catalog / "transitions.ndjson"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def load(catalog: Path):
    return load_catalogue(catalog, load_metrics(DBT_PROJECT_DIR))


def test_a_life_from_running_to_the_archive(catalog: Path) -> None:
    for words in (
        ("pause", "checkout_cta", "--reason", "outage", "--at", "2026-01-20T00:00:00Z"),
        ("resume", "checkout_cta", "--reason", "outage is over", "--at", "2026-01-21T00:00:00Z"),
        ("complete", "checkout_cta", "--reason", "red won", "--ship", "red", "--at", "2026-02-02T00:00:00Z"),
        ("archive", "checkout_cta", "--reason", "shipped"),
    ):
        done = run(*words)
        assert done.exit_code == 0, done.exception
        assert load(catalog).problems == ()
    experiment = load(catalog).experiments["checkout_cta"]
    assert (experiment.status, experiment.shipped) == ("archived", "red")
    assert experiment.end == datetime(2026, 2, 2)  # noqa: DTZ001
    assert [(row["action"], row["before"], row["after"]) for row in log(catalog)] == [
        ("pause", "running", "paused"),
        ("resume", "paused", "running"),
        ("complete", "running", "completed"),
        ("archive", "completed", "archived"),
    ]
    shown = json.loads(run("history", "checkout_cta", "--format", "json").output)
    assert shown[2]["what"] == "complete (running → completed): red won"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("pause", "checkout_cta"),
            (
                "experiment pause: a transition needs a reason (--reason TEXT)."
                " Hint: the reason stands in the log and on the scorecard"
            ),
        ),
        (
            ("resume", "checkout_cta", "--reason", "why not"),
            (
                "experiment resume: 'checkout_cta' is running and cannot resume (resume is legal from paused)."
                " Hint: legal now: accept, cancel, complete, pause"
            ),
        ),
        (
            ("complete", "checkout_cta", "--reason", "it won", "--ship", "rad"),
            "--ship: unknown variant (rad: one of: control, red). Hint: did you mean 'red'?",
        ),
        (
            ("pause", "checkout_cta", "--reason", "x", "--at", "2025-01-01"),
            (
                "experiments/checkout_cta.yaml:{line} pauses[0].start: pauses overlap or begin before the start"
                " (2025-01-01T00:00:00Z: ≥ 2026-01-05T00:00:00Z)"
            ),
        ),
    ],
)
def test_a_refusal_is_one_message_and_changes_nothing(
    catalog: Path, words: tuple[str, ...], message: str
) -> None:
    path = catalog / "experiments" / "checkout_cta.yaml"
    before = path.read_text()
    done = run(*words)
    line = next(n for n, text in enumerate(before.splitlines(), 1) if text.startswith("phases:")) + 3
    assert told(done.exception) == message.format(line=line)
    assert path.read_text() == before
    assert log(catalog) == []


def test_an_edit_without_a_command_is_logged_before_the_next_transition(catalog: Path) -> None:
    run("pause", "checkout_cta", "--reason", "outage", "--at", "2026-01-20T00:00:00Z")
    path = catalog / "experiments" / "checkout_cta.yaml"
    path.write_text(path.read_text().replace("alpha: 0.05", "alpha: 0.2"))
    run("resume", "checkout_cta", "--reason", "over", "--at", "2026-01-21T00:00:00Z")
    assert [row["action"] for row in log(catalog)] == ["pause", "edited", "resume"]
    shown = json.loads(run("history", "checkout_cta", "--format", "json").output)
    assert [line["changed_after_start"] for line in shown] == [False, True, False]
    assert '"alpha": 0.2' in shown[1]["what"]


def test_runs_note_each_state_once_and_see_edits(catalog: Path) -> None:
    early, late = datetime(2026, 1, 6), datetime(2026, 1, 7)  # noqa: DTZ001
    with duckdb.connect() as connection:
        first = note_definitions(connection, load(catalog), early)
        assert first == len(load(catalog).experiments)
        assert note_definitions(connection, load(catalog), early) == 0
        assert all(lines == [] for lines in histories(catalog, connection).values())
        path = catalog / "experiments" / "checkout_cta.yaml"
        path.write_text(path.read_text().replace("harm: true", "harm: false"))
        assert note_definitions(connection, load(catalog), late) == 1
        lines = histories(catalog, connection)["checkout_cta"]
    assert [(line.at, line.marks_result) for line in lines] == [(late, True)]
    assert lines[0].what.startswith("edited: stopping: ")
