"""Runs whose process was killed: Dagster would count them as running and keep their pool slots for ever."""

from __future__ import annotations

import contextlib
import fcntl
import uuid
from typing import TYPE_CHECKING

import dagster as dg

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fairsplit.orchestration.project import Home

LOCK_TAG = "fairsplit/lock"
_UNFINISHED = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED]


@contextlib.contextmanager
def alive(home: Home) -> Iterator[dict[str, str]]:
    """Hold a lock while a run goes on; the kernel drops it when the process dies, however it dies.

    Yields:
        The run tag that names the lock.
    """
    folder = _locks(home)
    name = uuid.uuid4().hex
    with (folder / name).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield {LOCK_TAG: name}
        finally:
            (folder / name).unlink()


def release_dead_runs(home: Home, instance: dg.DagsterInstance) -> list[str]:
    """Mark the runs of killed processes as failed and give back the pool slots that they hold.

    Returns:
        Ids of the runs released.
    """
    released = []
    for run in instance.get_runs(dg.RunsFilter(statuses=_UNFINISHED)):
        name = run.tags.get(LOCK_TAG)
        if name is not None and not _is_held(_locks(home) / name):
            instance.report_run_failed(run, "the process of this run was killed")
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
            released.append(run.run_id)
    return released


def _locks(home: Home) -> Path:
    folder = home.dagster / "locks"
    folder.mkdir(exist_ok=True)
    return folder


def _is_held(path: Path) -> bool:
    if not path.exists():
        return False
    with path.open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    path.unlink(missing_ok=True)
    return False
