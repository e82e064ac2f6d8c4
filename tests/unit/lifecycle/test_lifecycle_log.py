"""The log, edits without a command, and what a change after the start affects."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from fairsplit.analysis.lifecycle.changes import changes
from fairsplit.analysis.lifecycle.log import Entry, Observed, append, edit_entry, history, read_log
from fairsplit.analysis.lifecycle.states import LifecycleError

if TYPE_CHECKING:
    from pathlib import Path

NOON = datetime(2026, 1, 5, 12)  # noqa: DTZ001
FACTS: dict[str, Any] = {
    "phases": [{"start": "2026-01-05T00:00:00Z", "traffic": 0.1}],
    "plan": {"alpha": 0.05},
    "segments": ["country"],
}
START = Entry(NOON, "cta", "start", "draft", "running", NOON, "QA passed", "h1", FACTS)


def seen(hours: int, digest: str, **facts: Any) -> Observed:
    return Observed(NOON + timedelta(hours=hours), "cta", "running", digest, FACTS | facts)


def test_entries_come_back_as_they_were_appended(tmp_path: Path) -> None:
    append(tmp_path, [START])
    append(tmp_path, [START])
    assert read_log(tmp_path) == [START, START]


def test_a_broken_line_is_named(tmp_path: Path) -> None:
    append(tmp_path, [START])
    with (tmp_path / "transitions.ndjson").open("a") as file:
        file.write("{}\n")
    with pytest.raises(LifecycleError) as error:
        read_log(tmp_path)
    assert str(error.value) == (
        "transitions.ndjson:2: not an entry of the transition log."
        " Hint: the log is append-only: restore the line from version control"
    )


def test_an_unlogged_edit_becomes_an_entry() -> None:
    entry = edit_entry(START, seen(1, "h2", plan={"alpha": 0.2}))
    assert entry is not None
    assert (entry.action, entry.before, entry.after) == ("edited", "running", "running")
    assert edit_entry(START, seen(1, "h1")) is None
    assert edit_entry(None, seen(1, "h1")) is None


def test_the_history_lists_what_an_edit_affects() -> None:
    lines = history([START], [seen(0, "h1"), seen(2, "h2", plan={"alpha": 0.2})])
    assert [line.what for line in lines] == [
        "start (draft → running): QA passed",
        (
            'edited: plan: {"alpha": 0.05} → {"alpha": 0.2} (the error rates that were promised no longer hold as'
            " planned: the result counts as changed after the start)"
        ),
    ]
    assert [line.marks_result for line in lines] == [False, True]


def test_a_state_that_a_command_made_is_no_edit() -> None:
    pause = Entry(NOON + timedelta(hours=1), "cta", "pause", "running", "paused", NOON, "outage", "h2", FACTS)
    states = [seen(0, "h1"), Observed(NOON + timedelta(hours=2), "cta", "paused", "h2", FACTS)]
    assert [line.what for line in history([START, pause], states)] == [
        "start (draft → running): QA passed",
        "pause (running → paused): outage",
    ]


def test_a_status_that_no_command_allows_is_called_so() -> None:
    states = [seen(0, "h1"), Observed(NOON + timedelta(hours=2), "cta", "archived", "h1", FACTS)]
    assert history([], states)[0].what == "edited: status: running → archived, which no command allows"


def test_a_new_phase_is_told_from_a_rewritten_one() -> None:
    first = FACTS["phases"][0]
    later = {"start": "2026-01-08T00:00:00Z", "traffic": 1.0}
    added = changes(FACTS, FACTS | {"phases": [first, later]})[0]
    assert (added.effect.split(":")[0], added.marks_result) == ("opens a new phase", False)
    rewritten = changes(FACTS, FACTS | {"phases": [first | {"traffic": 1.0}]})[0]
    assert (rewritten.effect.split(":")[0], rewritten.marks_result) == (
        "rewrites the history of traffic and weights",
        True,
    )
