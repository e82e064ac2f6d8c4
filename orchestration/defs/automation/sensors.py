"""The sensors: files that wait in the landing folder, days that are outstanding, failed runs."""

import hashlib
import json
from datetime import UTC, datetime, timedelta

import dagster as dg

from fairsplit.orchestration.defs.automation.asking import NotNowError, expect_no_run, landed
from fairsplit.orchestration.defs.automation.jobs import certification, daily, land
from fairsplit.orchestration.home import intents
from fairsplit.orchestration.landing.scan import Landed, settled_files, waiting_files
from fairsplit.orchestration.notices.alerting import alert
from fairsplit.orchestration.project import Home, catalog_dir
from fairsplit.orchestration.publishing.ledger import fingerprint, last_fingerprint
from fairsplit.orchestration.running import names
from fairsplit.orchestration.running.partitions import AUTOMATION
from fairsplit.orchestration.running.runs import range_tags
from fairsplit.orchestration.warehouse.outstanding import outstanding_days as days_outstanding
from fairsplit.orchestration.warehouse.outstanding import pieces

RUNNING = dg.DefaultSensorStatus.RUNNING if AUTOMATION else dg.DefaultSensorStatus.STOPPED
_LONGEST_PAUSE_MINUTES = 60


@dg.sensor(
    name=names.named("new_landed_files"),
    job=land,
    minimum_interval_seconds=60,
    default_status=RUNNING,
    description="Takes the settled files of the landing folder that were not taken yet.",
)
def new_landed_files(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Ask for a `land` run while settled files wait; what a run did not take is asked for again, ever more seldom."""
    home = Home.from_environment().prepare()
    now = datetime.now(UTC).replace(tzinfo=None)
    try:
        expect_no_run(home, context)
        files = _waiting(home, now)
    except NotNowError as reason:
        return dg.SkipReason(str(reason))
    if not files:
        return dg.SkipReason("every settled file of the landing folder is known")
    keys = "\n".join(repr(file.key) for file in files)
    digest = hashlib.md5(keys.encode(), usedforsecurity=False).hexdigest()
    asked = json.loads(context.cursor) if context.cursor else {}
    tries = asked["tries"] if asked.get("files") == digest else 0
    if tries and now < datetime.fromisoformat(asked["not_before"]):
        return dg.SkipReason(
            f"{len(files)} files were not taken in {tries} runs; next at {asked['not_before']}"
        )
    # The first repetition comes at once, for the cause may be mended; then 2, 4, 8 … minutes apart.
    pause = timedelta(minutes=min(2**tries, _LONGEST_PAUSE_MINUTES)) if tries else timedelta()
    state = {"files": digest, "tries": tries + 1, "not_before": (now + pause).isoformat(timespec="seconds")}
    context.update_cursor(json.dumps(state))
    return dg.RunRequest(run_key=f"land-{digest}-{now.timestamp():.0f}-{tries}")


def _waiting(home: Home, now: datetime) -> list[Landed]:
    if not home.warehouse.exists():
        return settled_files(home.landing, now)
    with landed(home) as connection:
        return waiting_files(home.landing, connection, now)


@dg.sensor(
    name=names.named("outstanding_days"),
    job=daily,
    minimum_interval_seconds=60,
    default_status=RUNNING,
    description="Builds the days that became complete, and what late rows or changed definitions touch.",
)
def outstanding_days(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Ask for one `daily` run over what is outstanding, once for each state of files, definitions and code."""
    home = Home.from_environment().prepare()
    try:
        expect_no_run(home, context)
        with landed(home) as connection:
            state = fingerprint(connection, catalog_dir())
            begun = intents.outstanding(home)
            published = last_fingerprint(connection) == state and not begun
            days = days_outstanding(connection, published=published)
            state = "-".join([state, *begun])
    except NotNowError as reason:
        return dg.SkipReason(str(reason))
    if days is None:
        return dg.SkipReason("no day is outstanding")
    if state == context.cursor:
        return dg.SkipReason("the run for this state did not end well, and nothing has changed since")
    context.update_cursor(state)
    return dg.RunRequest(run_key=f"daily-{state}", tags=range_tags(*next(pieces(days))))


@dg.run_failure_sensor(
    name=names.named("failed_runs"),
    # Beside others' jobs only ours; alone also what is materialised by hand.
    monitored_jobs=[land, daily, certification] if names.is_hosted() else None,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Leaves an alert beside the digests, and sends it by the same hooks.",
)
def failed_runs(context: dg.RunFailureSensorContext) -> None:
    """Tell of a failed run; a run that told of itself, or that failed like the one before it, is not told of twice."""
    run = context.dagster_run
    steps = sorted({event.step_key for event in context.get_step_failure_events() if event.step_key})
    for failure in alert(Home.from_environment().prepare(), context.instance, run, steps):
        context.log.warning(failure)


def _filled_from_outside() -> list[dg.AssetKey]:
    return sorted({key for keys in names.upstream().values() for key in keys})


if _filled_from_outside():

    @dg.multi_asset_sensor(
        monitored_assets=_filled_from_outside(),
        name=names.named("upstream_ready"),
        job=land,
        minimum_interval_seconds=60,
        default_status=RUNNING,
        description="Takes what a source reads as soon as the assets that fill it have been materialised.",
    )
    def upstream_ready(context: dg.MultiAssetSensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        """Ask for a `land` run when an upstream asset is newer than the last one asked for."""
        home = Home.from_environment().prepare()
        try:
            expect_no_run(home, context)
        except NotNowError as reason:
            return dg.SkipReason(str(reason))
        newest = [record for record in context.latest_materialization_records_by_key().values() if record]
        if not newest:
            return dg.SkipReason("no upstream asset is newer than what was taken")
        context.advance_all_cursors()  # type: ignore[no-untyped-call]
        return dg.RunRequest(run_key=f"land-{max(record.storage_id for record in newest)}")
