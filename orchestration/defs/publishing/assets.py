"""What leaves the system: allocation configs for SDKs, and the site for people."""

import json
from datetime import UTC, datetime

import dagster as dg

from fairsplit.assignment_exports.publishing import current_version
from fairsplit.orchestration.catalogue.loading import read_definitions
from fairsplit.orchestration.notices.alerting import send_notices
from fairsplit.orchestration.notices.digests import write_digest
from fairsplit.orchestration.privacy import erasure
from fairsplit.orchestration.project import catalog_dir
from fairsplit.orchestration.publishing.exporting import export_configs
from fairsplit.orchestration.publishing.ledger import record_publication
from fairsplit.orchestration.publishing.site.publishing import publish_pages, ready_folders
from fairsplit.orchestration.running import names
from fairsplit.orchestration.running.daily_asset import daily_asset
from fairsplit.orchestration.running.partitions import NIGHTLY_FRESHNESS
from fairsplit.orchestration.running.resources.home import HomeResource
from fairsplit.orchestration.warehouse.journals import keep
from fairsplit.orchestration.warehouse.opening import writer

GROUP = "publishing"
OWNERS = ["team:experimentation"]


@daily_asset(
    GROUP,
    owners=OWNERS,
    kinds={"json", "parquet"},
    deps=[names.key("judged_results"), names.key("fct_assignments")],
    freshness_policy=NIGHTLY_FRESHNESS,
)
def allocation_configs(fairsplit_home: HomeResource) -> dg.MaterializeResult[None]:
    """A version of `exports/`: `ufc.json`, unit lists, results and decisions; `current` switches last."""
    place = fairsplit_home.open()
    with writer(place.warehouse) as connection:
        version = export_configs(place, connection, read_definitions())
    changes = {
        name: entry["diff"]
        for part in ("experiments", "flags")
        for name, entry in version.manifest[part].items()
        if entry["change"] != "unchanged"
    }
    return dg.MaterializeResult(
        metadata={
            "version": version.version,
            "new": version.changed,
            "path": dg.MetadataValue.path(version.path),
            "changes": dg.MetadataValue.md(f"```json\n{json.dumps(changes, indent=1)}\n```"),
        }
    )


@daily_asset(
    GROUP,
    owners=OWNERS,
    kinds={"jinja", "html"},
    deps=[
        names.key("judged_results"),
        names.key("interactions"),
        names.key("content_schedule"),
        names.key("programme"),
        names.key("syntheses"),
        names.key("searches"),
        names.key("allocation_configs"),
        names.key("fct_value_histograms"),
    ],
    freshness_policy=NIGHTLY_FRESHNESS,
)
def scorecards(context: dg.AssetExecutionContext, fairsplit_home: HomeResource) -> dg.MaterializeResult[None]:
    """The published site: one scorecard an experiment, the portfolio, data quality, dbt's docs."""
    place = fairsplit_home.open()
    definitions = read_definitions()
    folders = ready_folders(place, definitions)
    with writer(place.warehouse) as connection:
        published, cut_off = publish_pages(place, connection, definitions, folders)
        exports = current_version(place.exports)
        now = datetime.now(UTC).replace(tzinfo=None)
        number = record_publication(
            connection,
            catalog_dir(),
            now,
            exports.version if exports else "",
            published.version,
        )
        news = write_digest(connection, place.notices, now)
        keep(connection, place.root)
    erasure.leave_no_trace(place, context.run_id)
    unsent = send_notices(place)
    for failure in unsent:
        context.log.warning(failure)
    return dg.MaterializeResult(
        metadata={
            "publication": number,
            "notices": len(news),
            "notices not sent": unsent,
            "site": dg.MetadataValue.path(published.index),
            "pages written": published.written,
            "pages unchanged": published.linked,
            "cut-off": cut_off.isoformat(),
        }
    )
