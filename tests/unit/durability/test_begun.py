"""A command that was killed between two of its steps is told by `fairsplit status`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from fairsplit.orchestration.home.intents import begin, ended
from fairsplit.orchestration.project import PROJECT_ROOT, Home
from fairsplit.orchestration.reading.status import read_status

NOW = datetime(2026, 3, 1)  # noqa: DTZ001 - naive UTC, as status wants it


def test_what_was_begun_is_the_first_thing_to_do(tmp_path: Path) -> None:
    home = Home(tmp_path)
    begin(home, "prune", {"found": [], "now": NOW.isoformat()})
    found = read_status(home, PROJECT_ROOT / "catalog", NOW)
    assert found.begun == ("prune",)
    assert found.next_steps[0].startswith("prune was begun and not finished: `fairsplit run`")

    ended(home, "prune")
    assert read_status(home, PROJECT_ROOT / "catalog", NOW).begun == ()
