"""The clock: each night the days that are over, each week the certification of the metrics."""

from datetime import UTC, datetime, timedelta

import dagster as dg

from fairsplit.orchestration.defs.automation.asking import NotNowError, expect_no_run, landed
from fairsplit.orchestration.defs.automation.jobs import certification, daily
from fairsplit.orchestration.home import intents
from fairsplit.orchestration.landing.scan import Landed, settled_files, waiting_files
from fairsplit.orchestration.landing.settings import EARLIEST
from fairsplit.orchestration.notices.alerting import alert_of_missing_files
from fairsplit.orchestration.project import Home, catalog_dir
from fairsplit.orchestration.publishing.ledger import is_published
from fairsplit.orchestration.running import names
from fairsplit.orchestration.running.partitions import AUTOMATION, DAILY
from fairsplit.orchestration.running.runs import range_tags
from fairsplit.orchestration.warehouse.outstanding import (
    Built,
    days_to_ask,
    first_day,
    frontier,
    last_complete_day,
    newest_arrival,
    pieces,
)

_DECLARED = DAILY.start.date() if DAILY.start.date() > EARLIEST else None
RUNNING = dg.DefaultScheduleStatus.RUNNING if AUTOMATION else dg.DefaultScheduleStatus.STOPPED


@dg.schedule(
    job=daily,
    name=names.named("nightly"),
    cron_schedule="30 1 * * *",
    execution_timezone="UTC",
    default_status=RUNNING,
    description="01:30 UTC: whatever is outstanding, up to the last day that is over and whose files are there.",
)
def nightly(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Ask for the outstanding range, ending with the last complete day; never for a day that is still running."""
    home = Home.from_environment().prepare()
    now = context.scheduled_execution_time.astimezone(UTC).replace(tzinfo=None)
    try:
        expect_no_run(home, context)
        built, waiting, newest = _state(home, now)
    except NotNowError as reason:
        return dg.SkipReason(str(reason))
    days = days_to_ask(built, waiting, now)
    if days is None:
        ended = now.date() - timedelta(days=1)
        if DAILY.end is None and newest is not None and newest.date() <= ended:
            for failure in alert_of_missing_files(home, newest, ended):
                context.log.warning(failure)
            return dg.SkipReason(f"{ended} waits for its files: nothing has arrived since {newest}")
        return dg.SkipReason("nothing is outstanding" if newest else "nothing has landed yet")
    first, last = next(pieces(days))
    if first == last:
        return dg.RunRequest(partition_key=first.isoformat())
    return dg.RunRequest(tags=range_tags(first, last))


def _state(home: Home, now: datetime) -> tuple[Built, list[Landed], datetime | None]:
    """How far the home is, the files that wait in it, and the newest recorded arrival."""
    if not home.warehouse.exists():
        return Built(None, None, _DECLARED, published=False), settled_files(home.landing, now), None
    with landed(home) as connection:
        published = is_published(connection, catalog_dir()) and not intents.outstanding(home)
        built = Built(frontier(connection), last_complete_day(connection), first_day(connection), published)
        return built, waiting_files(home.landing, connection, now), newest_arrival(connection)


weekly_certification = dg.ScheduleDefinition(
    job=certification,
    name=names.named("weekly_certification"),
    cron_schedule="0 4 * * 1",
    execution_timezone="UTC",
    default_status=RUNNING,
    description="Monday 04:00 UTC: A/A certification of every metric that a running experiment uses.",
)
