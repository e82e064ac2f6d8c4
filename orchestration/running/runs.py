"""Launching the pipeline's Dagster jobs from this process."""

from __future__ import annotations

import contextlib
import functools
import warnings
from typing import TYPE_CHECKING

import dagster as dg

from fairsplit.analysis.errors import Problem
from fairsplit.orchestration.errors import OrchestrationError
from fairsplit.orchestration.notices.alerting import alert
from fairsplit.orchestration.running import names
from fairsplit.orchestration.running.dead_runs import alive, release_dead_runs
from fairsplit.orchestration.running.storage import dagster_instance

if TYPE_CHECKING:
    from datetime import date

    from fairsplit.analysis.catalogue.project import Engine
    from fairsplit.orchestration.project import Home

RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"
ENGINE = "fairsplit/engine"
"""The run tag that names the engine, where it is not the project's."""


def range_tags(first: date, last: date) -> dict[str, str]:
    """The run tags that make one run of the partitions first..last, both included."""
    return {RANGE_START: first.isoformat(), RANGE_END: last.isoformat()}


@functools.cache
def _definitions() -> dg.Definitions:
    # What Dagster calls new in itself is pinned by the lock, and says nothing to who runs a command.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.PreviewWarning)
        warnings.simplefilter("ignore", dg.BetaWarning)
        from fairsplit.orchestration.definitions import defs  # noqa: PLC0415  (needs dbt's manifest, made by the caller)

        return defs()


def execute(
    home: Home,
    job_name: str,
    days: tuple[date, date] | None = None,
    *,
    after: str | None = None,
    engine: Engine | None = None,
) -> dg.ExecuteInProcessResult:
    """Run one job in this process against the home's Dagster instance.

    Args:
        home: Prepared home.
        job_name: A job of `fairsplit.orchestration.definitions`.
        days: First and last partition, both included; none for an unpartitioned job.
        after: A job that has just ended well; what it made is not made again.
        engine: What builds the tables, where it is not what the project says.

    Returns:
        Dagster's result; successful.

    Raises:
        OrchestrationError: A step or a blocking check failed; the message names it.
    """
    definitions = _definitions()
    job = definitions.resolve_job_def(job_name)
    assets = set(job.asset_layer.executable_asset_keys)
    if after:
        assets -= set(definitions.resolve_job_def(after).asset_layer.executable_asset_keys)
    # dbt speaks on standard output, a line a model; here it goes to a file and the steps are the progress.
    with (
        (home.root / "dbt.log").open("a") as log,
        contextlib.redirect_stdout(log),
        dagster_instance(home) as instance,
        alive(home) as tags,
    ):
        release_dead_runs(home, instance)
        result = job.execute_in_process(
            instance=instance,
            asset_selection=sorted(assets),
            tags=tags | (range_tags(*days) if days else {}) | ({ENGINE: engine} if engine else {}),
            raise_on_error=False,
            run_config={"loggers": {names.PROGRESS: {}}},
        )
        failed = sorted({e.step_key for e in result.all_events if e.is_step_failure and e.step_key})
        unsent = [] if result.success else alert(home, instance, result.dagster_run, failed)
    if not result.success:
        raise OrchestrationError(
            Problem(
                "the run failed",
                where=f"job {job_name}",
                value=", ".join(failed) or "a blocking check",
                rule="nothing was published; what was landed is kept",
                hint="; ".join([f"open `make ui` and look at run {result.run_id}", *unsent]),
            )
        )
    return result
