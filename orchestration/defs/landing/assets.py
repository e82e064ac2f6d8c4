"""From the landing folder to the lake: the files that were taken, and the days they fill."""

from datetime import UTC, datetime

import dagster as dg

from fairsplit.orchestration.catalogue.loading import read_definitions
from fairsplit.orchestration.landing import IngestSettings, ingest_landing
from fairsplit.orchestration.privacy import erasure, pruning
from fairsplit.orchestration.project import catalog_dir
from fairsplit.orchestration.publishing.ledger import is_published
from fairsplit.orchestration.running import names
from fairsplit.orchestration.running.daily_asset import daily_asset
from fairsplit.orchestration.running.partitions import days_of
from fairsplit.orchestration.running.resources.home import HomeResource
from fairsplit.orchestration.warehouse.opening import writer
from fairsplit.orchestration.warehouse.outstanding import note_first_day, outstanding_days

GROUP = "landing"
OWNERS = ["team:data-engineering"]


@dg.asset(
    key_prefix=names.prefix(),
    group_name=names.named(GROUP),
    kinds={"duckdb", "parquet"},
    owners=OWNERS,
    deps=[names.key("catalogue"), *(one for keys in names.upstream().values() for one in keys)],
    pool=names.named("warehouse"),
)
def landed_files(
    context: dg.AssetExecutionContext, fairsplit_home: HomeResource
) -> dg.MaterializeResult[None]:
    """Every settled file of the landing folder, taken once: manifest, quarantine, lake, work owed."""
    place = fairsplit_home.open()
    pruning.finish_interrupted(place)
    erasure.take_up(place, context.run_id)
    definitions = read_definitions().catalogue
    settings = IngestSettings.of(definitions.project)
    with writer(place.warehouse) as connection:
        report = ingest_landing(
            place.root,
            connection,
            settings,
            list(definitions.sources.values()),
            datetime.now(UTC),
            progress=context.log.info,
        )
        note_first_day(connection, definitions.project.first_day)
        days = outstanding_days(connection, published=is_published(connection, catalog_dir()))
    metadata: dict[str, dg.MetadataValue | int] = {
        "files taken": len(report.taken),
        "files judged again": len(report.again),
        "files known already": len(report.same_content),
        "files unreadable": len(report.unreadable),
        "dagster/row_count": report.rows_read,
        "rows quarantined": report.rows_quarantined,
    }
    if days is not None:
        metadata["outstanding_from"] = dg.MetadataValue.text(days[0].isoformat())
        metadata["outstanding_to"] = dg.MetadataValue.text(days[1].isoformat())
    return dg.MaterializeResult(metadata=metadata)


@daily_asset(
    GROUP,
    owners=OWNERS,
    kinds={"duckdb", "parquet"},
    deps=[landed_files],
)
def raw_events(context: dg.AssetExecutionContext, fairsplit_home: HomeResource) -> dg.MaterializeResult[None]:
    """Accepted events by event day, one row per event id; the view `landing.raw_events` over the lake."""
    first, last = days_of(context)
    with writer(fairsplit_home.open().warehouse) as connection:
        rows = connection.execute(
            "select event_day, rows from landing.days where event_day between ? and ? order by 1",
            [first, last],
        ).fetchall()
    listed = "\n".join(f"| {day} | {count:,} |" for day, count in rows)
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": sum(count for _, count in rows),
            "days": dg.MetadataValue.md(f"| day | events |\n|---|---:|\n{listed}"),
        }
    )
