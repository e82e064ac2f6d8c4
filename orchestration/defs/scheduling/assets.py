"""The posts of content schedules, week by week."""

import dagster as dg

from fairsplit.orchestration.catalogue.loading import read_definitions
from fairsplit.orchestration.running import names
from fairsplit.orchestration.running.partitions import DAILY
from fairsplit.orchestration.running.resources.home import HomeResource
from fairsplit.orchestration.scheduling.planning import plan_schedules
from fairsplit.orchestration.warehouse.opening import writer


@dg.asset(
    key_prefix=names.prefix(),
    group_name=names.named("judgement"),
    kinds={"scipy"},
    owners=["team:experimentation"],
    partitions_def=DAILY,
    backfill_policy=dg.BackfillPolicy.single_run(),
    deps=[names.key("judged_results"), names.key("fct_hourly_activity")],
    pool=names.named("warehouse"),
)
def content_schedule(fairsplit_home: HomeResource) -> dg.MaterializeResult[None]:
    """`results.schedule`: which variant of which experiment is posted when."""
    with writer(fairsplit_home.open().warehouse) as connection:
        posts = plan_schedules(connection, read_definitions())
    return dg.MaterializeResult(
        metadata={"posts": posts.height, "schedules": posts["schedule_id"].n_unique() if posts.height else 0}
    )
