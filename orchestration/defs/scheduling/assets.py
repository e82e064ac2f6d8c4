"""The posts of content schedules, week by week."""

import dagster as dg

from fairsplit.orchestration.catalogue.loading import read_definitions
from fairsplit.orchestration.running import names
from fairsplit.orchestration.running.daily_asset import daily_asset
from fairsplit.orchestration.running.resources.home import HomeResource
from fairsplit.orchestration.scheduling.planning import plan_schedules
from fairsplit.orchestration.warehouse.opening import writer


@daily_asset(
    "judgement",
    owners=["team:experimentation"],
    kinds={"scipy"},
    deps=[names.key("significance"), names.key("stopping"), names.key("fct_hourly_activity")],
)
def content_schedule(fairsplit_home: HomeResource) -> dg.MaterializeResult[None]:
    """`results.schedule`: which variant of which experiment is posted when."""
    with writer(fairsplit_home.open().warehouse) as connection:
        posts = plan_schedules(connection, read_definitions())
    return dg.MaterializeResult(
        metadata={"posts": posts.height, "schedules": posts["schedule_id"].n_unique() if posts.height else 0}
    )
