"""A content schedule from its file to plan, pages, API and commands (mission rows M39, M41 and M55)."""

from __future__ import annotations

import json
from datetime import date, datetime
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from fairsplit.orchestration.catalogue.loading import read_definitions
from fairsplit.orchestration.cli import app, commands  # noqa: F401
from fairsplit.orchestration.project import Home
from fairsplit.orchestration.scheduling.planning import plan_schedules
from fairsplit.orchestration.warehouse.opening import writer

if TYPE_CHECKING:
    from pathlib import Path

SCHEDULE = """\
id: lab
name: Laboratory   # the barista's
owner: a@example.com
persona: The curious barista
channel: threads
zone: Europe/Berlin
start: 2026-01-12
posting_hours: {from: 9, until: 21}
posts_per_day: 4
items:
  - {experiment: hook, variant: control, text: "Coffee?"}
  - {experiment: hook, variant: question, text: "Which coffee?"}
"""
EXPERIMENT = """\
id: hook
name: Hook
owner: a@example.com
type: ab
status: running
start: 2026-01-05
variants: [{id: control, control: true}, {id: question}]
metrics: {primary: [checkout_conversion]}
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    catalog = tmp_path / "catalog"
    for part, text in (("experiments/hook", EXPERIMENT), ("schedules/lab", SCHEDULE)):
        (catalog / part).parent.mkdir(parents=True)
        (catalog / f"{part}.yaml").write_text(text)
    (catalog / "project.yaml").write_text("first_day: 2026-01-05\n")
    monkeypatch.setenv("FAIRSPLIT_CATALOG", str(catalog))
    monkeypatch.setenv("FAIRSPLIT_HOME", str(tmp_path / "home"))
    made = Home(tmp_path / "home").prepare()
    with writer(made.warehouse) as connection:
        connection.execute(
            """
            create schema results; create schema work;
            create table work.state as select 'frontier' as key, '2026-01-11' as value;
            create table results.decisions as select 'hook' as experiment_id, day::date as cut_off,
                'continue' as decision from range(date '2026-01-05', date '2026-01-12', interval 1 day) as t (day);
            create table results.comparisons as select 'hook' as experiment_id, 'checkout_conversion' as metric,
                cut_off, 0.1::double as information_fraction, 'primary' as role, 'all' as segment,
                'default' as analysis,
                'control' as comparison from results.decisions;
            create table fct_hourly_activity as select cut_off as event_day, hour::integer as hour,
                if(hour = 17, 400, 100)::bigint as events from results.decisions, range(24) as h (hour);
            """
        )
    return made


def plan(home: Home) -> list[tuple]:
    with writer(home.warehouse) as connection:
        return plan_schedules(connection, read_definitions()).rows()


def run(*words: str):
    return CliRunner().invoke(app, ["schedule", *words])


def test_m39_a_week_is_planned_before_it_begins_and_stays(home: Home) -> None:
    first = plan(home)
    assert {row[2] for row in first} == {date(2026, 1, 12)}
    # Two days before the second week begins its plan stands, and the first week's is what it was.
    with writer(home.warehouse) as connection:
        connection.execute("update work.state set value = '2026-01-17'")
    both = plan(home)
    assert [row for row in both if row[2] == date(2026, 1, 12)] == first
    assert {row[2] for row in both} == {date(2026, 1, 12), date(2026, 1, 19)}
    # An empty home plans the same.
    with writer(home.warehouse) as connection:
        connection.execute("drop table results.schedule; drop table results.schedule_weeks")
    assert plan(home) == both


def test_m39_what_is_concluded_is_posted_no_more(home: Home) -> None:
    with writer(home.warehouse) as connection:
        connection.execute("update results.decisions set decision = 'stop'")
    assert plan(home) == []


def test_m41_the_commands_show_the_next_posts_and_the_calendar(home: Home) -> None:
    rows = plan(home)
    at = "2026-01-12"
    told = json.loads(run("next", "lab", "--at", at, "--hours", "24", "--format", "json").output)
    expected = [row[4] for row in rows if row[3] < datetime(2026, 1, 13)]  # noqa: DTZ001
    assert [post["post_id"] for post in told] == expected
    assert run("calendar", "lab").output.count("BEGIN:VEVENT") == len(rows)
    assert run("calendar", "lab", "--format", "csv").output.count("\n") == len(rows) + 1
    assert "Which coffee?" in run("next", "--at", at, "--hours", "48").output
    assert "unknown schedule" in str(run("calendar", "lba").exception)


def test_m55_an_override_is_written_beside_the_authors_lines_and_planned_around(home: Home) -> None:
    plan(home)
    words = ["lab", "--at", "2026-01-13T11:07:00Z", "--reason", "launch day"]
    done = run("override", *words, "--experiment", "hook", "--variant", "question")
    assert done.exit_code == 0, done.exception
    text = next(home.root.parent.rglob("lab.yaml")).read_text()
    assert text.startswith(SCHEDULE)
    fixed = [row for row in plan(home) if row[10] == "override"]
    assert [(row[3].minute, row[8], row[15]) for row in fixed] == [(7, "question", "launch day")]
    for broken, rule in (
        (["lab", "--at", "2026-01-13T11:07:00Z"], "needs a reason"),
        ([*words, "--experiment", "hook"], "names half a post"),
        ([*words, "--experiment", "hook", "--variant", "red"], "unknown variant"),
    ):
        assert rule in str(run("override", *broken).exception)
    assert next(home.root.parent.rglob("lab.yaml")).read_text() == text
