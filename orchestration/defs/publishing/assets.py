"""What leaves the system, as one version: allocation configs for SDKs, and the site for people."""

import json
from datetime import UTC, datetime

import dagster as dg

from fairsplit.orchestration.catalogue.loading import read_definitions
from fairsplit.orchestration.notices.alerting import send_notices
from fairsplit.orchestration.notices.digests import write_digest
from fairsplit.orchestration.privacy import erasure
from fairsplit.orchestration.project import catalog_dir
from fairsplit.orchestration.publishing.ledger import record_publication
from fairsplit.orchestration.publishing.publication import publish, ready_folders
from fairsplit.orchestration.running import names
from fairsplit.orchestration.running.daily_asset import daily_asset
from fairsplit.orchestration.running.partitions import NIGHTLY_FRESHNESS
from fairsplit.orchestration.running.resources.home import HomeResource
from fairsplit.orchestration.warehouse.journals import keep
from fairsplit.orchestration.warehouse.opening import writer

_READ = (
    "fct_assignments",
    "fct_exposures",
    "fct_subject_attributes",
    "fct_daily_exposures",
    "fct_losses",
    "fct_logged_units",
    "fct_value_histograms",
    "sample_ratio",
    "significance",
    "stopping",
    "interactions",
    "content_schedule",
    "programme",
    "syntheses",
    "searches",
)


@daily_asset(
    "publishing",
    owners=["team:experimentation"],
    kinds={"json", "parquet", "html"},
    deps=[names.key(name) for name in _READ],
    freshness_policy=NIGHTLY_FRESHNESS,
)
def publication(
    context: dg.AssetExecutionContext, fairsplit_home: HomeResource
) -> dg.MaterializeResult[None]:
    """Scorecards and allocation configs as one version: complete beside the old one, then one switch."""
    place = fairsplit_home.open()
    definitions = read_definitions()
    folders = ready_folders(place, definitions)
    with writer(place.warehouse) as connection:
        published = publish(place, connection, definitions, folders)
        version, site = published.version, published.site
        now = datetime.now(UTC).replace(tzinfo=None)
        number = record_publication(connection, catalog_dir(), now, version.version, site.version)
        news = write_digest(connection, place.notices, now)
        keep(connection, place.root)
    erasure.leave_no_trace(place, context.run_id)
    unsent = send_notices(place)
    for failure in unsent:
        context.log.warning(failure)
    changes = {
        name: entry["diff"]
        for part in ("experiments", "flags")
        for name, entry in version.manifest[part].items()
        if entry["change"] != "unchanged"
    }
    return dg.MaterializeResult(
        metadata={
            "publication": number,
            "cut-off": published.cut_off.isoformat(),
            "version": version.version,
            "new": version.changed,
            "path": dg.MetadataValue.path(version.path),
            "changes": dg.MetadataValue.md(f"```json\n{json.dumps(changes, indent=1)}\n```"),
            "site": dg.MetadataValue.path(place.site / "current" / "index.html"),
            "pages written": site.written,
            "pages unchanged": site.linked,
            "notices": len(news),
            "notices not sent": unsent,
        }
    )
