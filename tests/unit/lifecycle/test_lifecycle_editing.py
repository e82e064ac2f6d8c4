"""A transition changes the lines that it must, and no other byte."""

from __future__ import annotations

import difflib
from datetime import datetime
from pathlib import Path

import pytest

from fairsplit.analysis.catalogue.experiment import Experiment
from fairsplit.analysis.catalogue.findings import parse_model
from fairsplit.analysis.catalogue.yaml_source import parse_yaml
from fairsplit.analysis.lifecycle.editing import Edit, edited

ROOT = Path(__file__).parents[3]
AT = datetime(2026, 1, 20, 8, 30)  # noqa: DTZ001
START = datetime(2026, 1, 5)  # noqa: DTZ001

TEXT = """\
# The buttons of the checkout. Ask growth before touching it.
id: cta
name: "Quoted \\u2192 name"   # with an escape
owner: growth@example.com
type: ab
status: running          # moved by commands
start: 2026-01-05T00:00:00Z

phases:
  # a small start
  - {start: 2026-01-05T00:00:00Z, traffic: 0.5,   weights: {a: 0.5, b: 0.5}}
variants:
    - {id: a, control: true}
    - id: b
      name: 'Red'
metrics: {primary: [checkout_conversion]}
"""


def changed_lines(before: str, after: str) -> list[str]:
    lines = difflib.ndiff(before.splitlines(), after.splitlines())
    return [line for line in lines if line[0] in "+-"]


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (
            Edit("pause", "paused", AT, START),
            [
                "- status: running          # moved by commands",
                "+ status: paused           # moved by commands",
                "+ pauses:",
                "+   - {start: 2026-01-20T08:30:00Z}",
            ],
        ),
        (
            Edit("complete", "completed", AT, START, None, "b"),
            [
                "- status: running          # moved by commands",
                "+ status: completed        # moved by commands",
                "+ shipped: b",
                "+ end: 2026-01-20T08:30:00Z",
            ],
        ),
    ],
)
def test_comments_and_layout_survive(edit: Edit, expected: list[str]) -> None:
    after = edited(TEXT, edit)
    assert changed_lines(TEXT, after) == expected
    assert isinstance(parse_model(Experiment, parse_yaml(after, "cta.yaml")), Experiment)


def test_resuming_ends_the_pause_that_pausing_began() -> None:
    paused = edited(TEXT, Edit("pause", "paused", AT, START))
    later = datetime(2026, 1, 21)  # noqa: DTZ001
    resumed = edited(paused, Edit("resume", "running", later, START))
    assert "  - {start: 2026-01-20T08:30:00Z, end: 2026-01-21T00:00:00Z}\n" in resumed
    again = edited(resumed, Edit("pause", "paused", datetime(2026, 1, 22), START))  # noqa: DTZ001
    assert changed_lines(resumed, again)[-1] == "+   - {start: 2026-01-22T00:00:00Z}"


def test_a_pause_is_appended_in_the_authors_own_layout() -> None:
    text = TEXT.replace(
        "variants:", "pauses: [{start: 2026-01-06T00:00:00Z, end: 2026-01-07T00:00:00Z}]\nvariants:"
    )
    assert changed_lines(text, edited(text, Edit("pause", "paused", AT, START)))[-1] == (
        "+ pauses: [{start: 2026-01-06T00:00:00Z, end: 2026-01-07T00:00:00Z}, {start: 2026-01-20T08:30:00Z}]"
    )


def test_starting_moves_a_start_that_has_passed_and_keeps_one_to_come() -> None:
    draft = TEXT.replace("status: running ", "status: draft ").replace(
        "type: ab", "type: ab\nstage: pre_launch"
    )
    started = edited(draft, Edit("start", "running", AT, START))
    assert started.count("2026-01-20T08:30:00Z") == 2
    assert "stage: running" in started
    early = edited(draft, Edit("start", "running", datetime(2026, 1, 1), START))  # noqa: DTZ001
    assert early.count("2026-01-05T00:00:00Z") == 2


def test_what_is_called_off_before_its_start_ends_after_it() -> None:
    draft = TEXT.replace("status: running ", "status: draft ")
    off = edited(draft, Edit("cancel", "cancelled", datetime(2026, 1, 1), START))  # noqa: DTZ001
    assert "end: 2026-01-05T00:00:01Z" in off


@pytest.mark.parametrize(
    "path", sorted((ROOT / "catalog" / "experiments").glob("*.yaml")), ids=lambda p: p.stem
)
def test_every_demo_file_keeps_its_lines(path: Path) -> None:
    text = path.read_text()
    after = edited(text, Edit("archive", "archived", AT, START))
    assert len(changed_lines(text, after)) == 2
