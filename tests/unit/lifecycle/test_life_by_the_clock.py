"""Life by the clock (mission row M03): starts, ends, failure, and stages that contradict the status."""

# ruff: noqa: DTZ001 - instants are naive and in UTC

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from fairsplit.analysis.catalogue import load_catalogue
from fairsplit.analysis.catalogue.metrics import load_metrics
from fairsplit.analysis.lifecycle.clock import clock_lines, failed_experiments, launched, status_at
from fairsplit.orchestration.project import DBT_PROJECT_DIR

if TYPE_CHECKING:
    from pathlib import Path

    from fairsplit.analysis.catalogue import Catalogue

METRICS = load_metrics(DBT_PROJECT_DIR)
FILE = """\
id: cta
name: Button
owner: a@example.com
type: ab
status: {status}
{more}
start: 2026-01-05
variants: [{{id: control, control: true}}, {{id: red}}]
metrics: {{primary: [{metric}]}}
"""


def load(folder: Path, status: str, *more: str) -> Catalogue:
    (folder / "experiments").mkdir(exist_ok=True)
    (folder / "project.yaml").write_text("first_day: 2026-01-01\n")
    text = FILE.format(status=status, more="\n".join(more), metric=next(iter(METRICS)))
    (folder / "experiments" / "cta.yaml").write_text(text)
    return load_catalogue(folder, METRICS)


@pytest.mark.parametrize(
    ("status", "stage", "then"),
    [("draft", "pre_launch", "running"), ("draft", "validation", "draft"), ("running", "running", "running")],
)
def test_m03_a_draft_that_is_ready_starts_at_its_start(tmp_path, status, stage, then):
    declared = load(tmp_path, status, f"stage: {stage}")
    experiment = launched(declared).experiments["cta"]
    assert experiment.status == then
    assert status_at(experiment, datetime(2026, 1, 4, 23, 59, 59)) == "draft"
    assert status_at(experiment, datetime(2026, 1, 5)) == then
    # Its exposures count from its start on, and no draft's do.
    periods = ((datetime(2026, 1, 5), None),) if then == "running" else ()
    assert experiment.periods() == periods
    started = [(datetime(2026, 1, 5), "start (draft → running): its start has come")]
    lines = clock_lines(declared.experiments["cta"], datetime(2026, 1, 6))
    assert lines == (started if stage == "pre_launch" else [])


def test_m03_a_list_starts_by_command_alone(tmp_path):
    declared = load(tmp_path, "draft", "stage: pre_launch", "assignment: batch")
    assert launched(declared).experiments["cta"].status == "draft"


def test_m03_what_ran_is_over_at_its_end(tmp_path):
    catalogue = load(tmp_path, "running", "end: 2026-01-19")
    experiment = catalogue.experiments["cta"]
    assert status_at(experiment, datetime(2026, 1, 18, 23)) == "running"
    assert status_at(experiment, datetime(2026, 1, 19)) == "completed"
    assert clock_lines(experiment, datetime(2026, 1, 20)) == [
        (datetime(2026, 1, 19), "complete (running → completed): its end has come")
    ]


@pytest.mark.parametrize(("days", "failed"), [(2, set()), (3, {"a"})])
def test_m03_what_is_faulty_for_the_declared_time_has_failed(days, failed):
    acts = {1: "fix_data", 2: "wait", **{3 + day: "fix_data" for day in range(days)}}
    rows = [
        {"experiment_id": name, "cut_off": date(2026, 1, day), "action": act if name == "a" else "wait"}
        for day, act in acts.items()
        for name in ("a", "b")
    ]
    assert failed_experiments(rows, timedelta(days=3)) == failed
    assert failed_experiments(rows, None) == set()


def test_m03_a_stage_that_contradicts_the_status_is_refused(tmp_path):
    (problem,) = load(tmp_path, "running", "stage: design").problems
    assert str(problem) == (
        "experiments/cta.yaml:6 stage: a running experiment is not in this stage"
        " (design: with status running: running). Hint: write stage: running, or leave it out"
    )
