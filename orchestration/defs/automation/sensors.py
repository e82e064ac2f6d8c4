"""The sensors: new landed files, days that became complete, changed definitions, failed runs."""

import hashlib
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import dagster as dg

from orchestration.alerting import alert
from orchestration.dbt import source_hash
from orchestration.defs.automation.jobs import daily, land
from orchestration.loading import definition_files
from orchestration.paths import Home, catalog_dir
from orchestration.runs import range_tags


def listing_hash(folder: Path) -> str:
    """A hash of names, sizes and modification times below a folder; contents are not read."""
    entries = sorted(
        f"{path.relative_to(folder)}|{path.stat().st_size}|{path.stat().st_mtime_ns}"
        for path in folder.rglob("*")
        if path.is_file()
    )
    return hashlib.md5("\n".join(entries).encode(), usedforsecurity=False).hexdigest()


@dg.sensor(
    job=land, minimum_interval_seconds=60, description="Takes files as soon as the landing folder changes."
)
def new_landed_files(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Ask for a `land` run when the folder's listing differs from the last one seen."""
    current = listing_hash(Home.from_environment().prepare().landing)
    if current == context.cursor:
        return dg.SkipReason("the landing folder has not changed")
    context.update_cursor(current)
    return dg.RunRequest(run_key=f"land-{current}")


@dg.asset_sensor(
    asset_key=dg.AssetKey("landed_files"),
    job=daily,
    description="Runs the days that a landing made complete, or that late rows touched, as one ranged run.",
)
def outstanding_days(
    context: dg.SensorEvaluationContext, asset_event: dg.EventLogEntry
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Ask for one `daily` run over the outstanding range that the landing reported."""
    materialization = asset_event.asset_materialization
    metadata = materialization.metadata if materialization else {}
    first, last = (
        metadata[key].value if key in metadata else None for key in ("outstanding_from", "outstanding_to")
    )
    if not isinstance(first, str) or not isinstance(last, str):
        yield dg.SkipReason("no day is outstanding")
        return
    yield dg.RunRequest(
        run_key=f"daily-{context.cursor}",
        tags=range_tags(date.fromisoformat(first), date.fromisoformat(last)),
    )


@dg.sensor(
    job=daily, minimum_interval_seconds=60, description="Recomputes what a changed definition touches."
)
def changed_definitions(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Ask for a `daily` run of the newest built day when the catalogue or a dbt model has changed."""
    digest = hashlib.md5(source_hash().encode(), usedforsecurity=False)
    for content in definition_files(catalog_dir()).values():
        digest.update(content)
    current = digest.hexdigest()
    if current == context.cursor:
        return dg.SkipReason("no definition has changed")
    context.update_cursor(current)
    days = context.instance.get_materialized_partitions(dg.AssetKey("fct_sufficient_statistics"))
    if not days:
        return dg.SkipReason("no day has been built yet")
    newest = date.fromisoformat(max(days))
    return dg.RunRequest(run_key=f"definitions-{current}", tags=range_tags(newest, newest))


@dg.run_failure_sensor(
    name="failed_runs",
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Leaves an alert beside the digests, and sends it by the same hooks.",
)
def failed_runs(context: dg.RunFailureSensorContext) -> None:
    """Tell of a failed run; a run that told of itself is not told of twice."""
    run = context.dagster_run
    steps = sorted({event.step_key for event in context.get_step_failure_events() if event.step_key})
    for failure in alert(Home.from_environment().prepare(), run.run_id, run.job_name, steps):
        context.log.warning(failure)
