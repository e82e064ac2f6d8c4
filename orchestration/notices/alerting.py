"""Notices on their way out: what a publication tells, and what a failed run tells, by the same hooks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg

from fairsplit.analysis.errors import FairsplitError
from fairsplit.orchestration.catalogue.loading import read_definitions
from fairsplit.orchestration.notices.delivery import deliver
from fairsplit.orchestration.notices.digests import write_alert, write_feed_alert

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

    from fairsplit.orchestration.project import Home


#: The newest runs of a job, among which the one that failed is to be found.
_RUNS_LOOKED_AT = 50


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


def alert(home: Home, instance: dg.DagsterInstance, run: dg.DagsterRun, steps: Sequence[str]) -> list[str]:
    """Leave an alert about a failed run and send it, unless the job's run before failed alike and was told.

    Args:
        home: Prepared home.
        instance: Where the run is recorded.
        run: It has failed.
        steps: Steps that failed, sorted; see `write_alert`.

    Returns:
        What was not sent, a sentence each; see `send_notices`.
    """
    if list(steps) == _failed_before(instance, run):
        return []
    write_alert(home.notices, run.run_id, run.job_name, steps)
    return send_notices(home)


def _failed_before(instance: dg.DagsterInstance, run: dg.DagsterRun) -> list[str] | None:
    """The steps at which the job's run before this one failed; none where it ended well."""
    ended = dg.RunsFilter(
        job_name=run.job_name, statuses=[dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]
    )
    runs = list(instance.get_runs(ended, limit=_RUNS_LOOKED_AT))
    ids = [one.run_id for one in runs]
    older = runs[ids.index(run.run_id) + 1 :][:1] if run.run_id in ids else []
    if not older or older[0].status is not dg.DagsterRunStatus.FAILURE:
        return None
    stats = instance.get_run_step_stats(older[0].run_id)
    return sorted(one.step_key for one in stats if one.status and one.status.value == "FAILURE")


def alert_of_missing_files(home: Home, newest: datetime, day: date) -> list[str]:
    """Leave an alert about a day without files and send it; see `write_feed_alert` and `send_notices`."""
    return send_notices(home) if write_feed_alert(home.notices, newest, day) else []
