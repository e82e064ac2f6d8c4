"""An experiment that a list decides starts with its list, or not at all."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import polars as pl
import pytest
from typer.testing import CliRunner

from fairsplit.orchestration.cli import app, commands  # noqa: F401

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.integration

EXPERIMENT = """\
id: mail
name: A mailing
owner: growth@example.com
type: ab
status: draft
assignment: {assignment}
start: 2026-01-05T00:00:00Z
variants: [{{id: control, control: true}}, {{id: letter}}]
metrics: {{primary: [ctr]}}
"""


class Desk:
    """One draft, a file of customers, and the commands."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.definition = folder / "catalog" / "experiments" / "mail.yaml"
        self.list = folder / "home" / "assignments" / "mail.parquet"
        self.people = folder / "customers.parquet"
        self.definition.parent.mkdir(parents=True)
        (folder / "catalog" / "project.yaml").write_text("first_day: 2026-01-05\n")
        monkeypatch.setenv("FAIRSPLIT_HOME", str(folder / "home"))
        monkeypatch.setenv("FAIRSPLIT_CATALOG", str(folder / "catalog"))
        self.customers(40)

    def define(self, assignment: str, **changes: str) -> None:
        text = EXPERIMENT.format(assignment=assignment)
        for old, new in changes.items():
            text = text.replace(old, new)
        self.definition.write_text(text)

    def customers(self, count: int) -> None:
        arms = [("control", "letter")[number % 2] for number in range(count)]
        pl.DataFrame({"unit_id": [f"c{number}" for number in range(count)], "arm": arms}).write_parquet(
            self.people
        )

    def assign(self, *words: str) -> str:
        return self._run("assign", "mail", "--population", str(self.people), *words)

    def start(self) -> str:
        return self._run("experiment", "start", "mail", "--reason", "letters are printed")

    def _run(self, *words: str) -> str:
        """What went wrong, or nothing."""
        done = CliRunner().invoke(app, words)
        return str(done.exception) if done.exit_code else ""


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(tmp_path, monkeypatch)


@pytest.mark.parametrize(("assignment", "column"), [("batch", ()), ("external", ("--variant", "arm"))])
def test_a_start_waits_for_the_list(desk: Desk, assignment: str, column: tuple[str, ...]) -> None:
    desk.define(assignment)
    before = desk.definition.read_text()
    asked = " --variant COLUMN" if column else ""
    assert desk.start() == (
        f"mail: no list says who is in which arm (assignment: {assignment}: a list at assignments/mail.parquet in "
        f"the home). Hint: run `fairsplit assign mail --population FILE{asked}`"
    )
    assert desk.definition.read_text() == before
    assert not (desk.definition.parents[1] / "transitions.ndjson").exists()
    assert desk.assign(*column) == ""
    assert desk.start() == ""
    entry = json.loads((desk.definition.parents[1] / "transitions.ndjson").read_text())
    assert (entry["action"], entry["after"]) == ("start", "running")


def test_a_list_that_the_definition_left_behind_does_not_start(desk: Desk) -> None:
    desk.define("batch")
    assert desk.assign() == ""
    desk.define("batch", letter="lettre")
    assert desk.start() == (
        "mail.parquet: the list names an unknown variant (letter: one of: control, lettre)."
        " Hint: did you mean 'lettre'?"
    )
    desk.list.write_bytes(b"spoilt")
    assert desk.start().startswith("mail.parquet: the list cannot be read (")
    # A draft is assigned anew, whatever lay there.
    assert desk.assign() == ""
    assert desk.start() == ""


def test_a_list_that_has_started_stays_as_it_is(desk: Desk) -> None:
    desk.define("batch")
    assert desk.assign() == ""
    assert desk.start() == ""
    stored = desk.list.read_bytes()
    assert desk.assign() == ""  # the same list again is no change
    desk.customers(42)
    refused = (
        "mail: its units are assigned already and this list differs (status: running: only a draft is assigned anew,"
        " so that nobody changes arms)"
    )
    assert desk.assign() == refused
    assert desk.list.read_bytes() == stored
