"""Notices on their way out: what a publication tells, and what a failed run tells, by the same hooks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analysis.errors import FairsplitError
from orchestration.delivery import deliver
from orchestration.loading import read_definitions
from orchestration.notices import write_alert, write_feed_alert

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

    from orchestration.paths import Home


def send_notices(home: Home) -> list[str]:
    """Send the home's new notices to the project's hooks.

    Returns:
        What failed, a sentence each; a project file that does not load is such a failure, not an error.
    """
    try:
        project = read_definitions().catalogue.project
    except FairsplitError as error:
        return [f"the project's hooks are unknown ({error})"]
    return deliver(home.notices, project.notices, project.name)


def alert(home: Home, run_id: str, job: str, steps: Sequence[str]) -> list[str]:
    """Leave an alert about a failed run and send it; see `write_alert` and `send_notices`."""
    write_alert(home.notices, run_id, job, steps)
    return send_notices(home)


def alert_of_missing_files(home: Home, newest: datetime, day: date) -> list[str]:
    """Leave an alert about a day without files and send it; see `write_feed_alert` and `send_notices`."""
    return send_notices(home) if write_feed_alert(home.notices, newest, day) else []
