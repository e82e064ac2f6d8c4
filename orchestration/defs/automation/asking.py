"""What a schedule or a sensor knows of the home when it ticks: asked of the warehouse, never remembered."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
import duckdb

from fairsplit.orchestration.errors import OrchestrationError
from fairsplit.orchestration.project import Home
from fairsplit.orchestration.running import names
from fairsplit.orchestration.running.dead_runs import release_dead_runs
from fairsplit.orchestration.warehouse.opening import has_table, reader

_Tick = dg.SensorEvaluationContext | dg.ScheduleEvaluationContext | dg.MultiAssetSensorEvaluationContext
_UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]


_JOBS = frozenset(map(names.named, ("land", "daily", "certification")))


class NotNowError(Exception):
    """There is nothing to ask for at this tick; the message says why."""


@contextmanager
def landed(home: Home) -> Iterator[duckdb.DuckDBPyConnection]:
    """The warehouse of a home in which something has landed.

    Raises:
        NotNowError: A run holds the warehouse, or nothing has landed.
    """
    if not home.warehouse.exists():
        raise NotNowError("nothing has landed yet")
    try:
        with reader(home.warehouse) as connection:
            if not has_table(connection, "landing", "manifest"):
                raise NotNowError("nothing has landed yet")
            yield connection
    except OrchestrationError as error:
        raise NotNowError(str(error)) from error


def expect_no_run(home: Home, context: _Tick) -> None:
    """One run at a time is asked for: what it leaves is what the next tick sees.

    Raises:
        NotNowError: A run is queued or goes on.
    """
    try:
        instance = context.instance
    except dg.DagsterInvariantViolationError:
        return  # a tick that is evaluated by hand
    release_dead_runs(home, instance)
    going = instance.get_runs(dg.RunsFilter(statuses=_UNFINISHED))
    if names.is_hosted():
        going = [run for run in going if run.job_name in _JOBS]
    if going:
        raise NotNowError(f"run {going[0].run_id} of {going[0].job_name} is queued or goes on")
