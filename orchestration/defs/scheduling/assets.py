"""The posts of content schedules, week by week."""

import dagster as dg

from fairsplit.orchestration.catalogue.loading import read_definitions
from fairsplit.orchestration.running.partitions import DAILY
from fairsplit.orchestration.running.resources.home import HomeResource
from fairsplit.orchestration.scheduling.planning import plan_schedules
from fairsplit.orchestration.warehouse.opening import writer


@dg.asset(
    group_name="judgement",
    kinds={"scipy"},
    owners=["team:experimentation"],
    partitions_def=DAILY,
    backfill_policy=dg.BackfillPolicy.single_run(),
    deps=["judged_results", "fct_hourly_activity"],
    pool="warehouse",
)
def content_schedule(home: HomeResource) -> dg.MaterializeResult[None]:
    """`results.schedule`: which variant of which experiment is posted when."""
    with writer(home.open().warehouse) as connection:
        posts = plan_schedules(connection, read_definitions())
    return dg.MaterializeResult(
        metadata={"posts": posts.height, "schedules": posts["schedule_id"].n_unique() if posts.height else 0}
    )
