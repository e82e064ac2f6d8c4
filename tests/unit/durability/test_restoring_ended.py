"""A restore that was killed when all was in place leaves nothing behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fairsplit.orchestration.errors import OrchestrationError
from fairsplit.orchestration.home.backup import back_up
from fairsplit.orchestration.home.restore import restore
from fairsplit.orchestration.project import Home
from fairsplit.orchestration.warehouse.opening import writer

if TYPE_CHECKING:
    from pathlib import Path


def silent(line: str) -> None:
    del line


def test_what_a_restore_leaves_when_it_is_killed_at_its_last_step_goes(tmp_path: Path) -> None:
    home, place = Home(tmp_path / "home").prepare(), Home(tmp_path / "new")
    with writer(home.warehouse) as connection:
        connection.execute("create table landed as select 1 as row")
    (home.landing / "a.ndjson").write_text("{}")
    back_up(home, tmp_path / "copy", silent)
    restore(place, tmp_path / "copy", silent, replace=False)
    left = place.root / ".restoring" / "files"
    left.mkdir(parents=True)
    (left / "b.parquet").touch()
    with pytest.raises(OrchestrationError, match="the home is not empty"):
        restore(place, tmp_path / "copy", silent, replace=False)
    assert not left.parent.exists()
    assert (place.landing / "a.ndjson").read_text() == "{}"
