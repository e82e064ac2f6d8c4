"""The catalogue as an asset: the sound definitions, as the tables that SQL joins."""

from datetime import UTC, datetime

import dagster as dg

from fairsplit.analysis.lifecycle.log import read_sound
from fairsplit.orchestration.catalogue.loading import read_definitions
from fairsplit.orchestration.home.migrating import migrate
from fairsplit.orchestration.home.transitions import finish_interrupted
from fairsplit.orchestration.lifecycle.acting import write_catalogue
from fairsplit.orchestration.lifecycle.noted import note_named
from fairsplit.orchestration.lifecycle.transitions import note_definitions
from fairsplit.orchestration.project import Home, catalog_dir
from fairsplit.orchestration.running import names
from fairsplit.orchestration.running.resources.home import HomeResource
from fairsplit.orchestration.warehouse.dbt import semantic_layer_fault
from fairsplit.orchestration.warehouse.opening import writer


@dg.asset(
    key_prefix=names.prefix(),
    group_name=names.named("catalogue"),
    kinds={"yaml"},
    owners=["team:data-engineering"],
    pool=names.named("warehouse"),
)
def catalogue(fairsplit_home: HomeResource) -> dg.MaterializeResult[None]:
    """Sound experiments, variants, phases, metrics and filters as `catalog.*` tables."""
    finish_interrupted(catalog_dir())
    definitions = read_definitions()
    place = fairsplit_home.open()
    migrate(place, dg.get_dagster_logger().info)
    with writer(place.warehouse) as connection:
        write_catalogue(connection, place, definitions)
        now = datetime.now(UTC).replace(tzinfo=None)
        noted = note_definitions(connection, definitions.catalogue, now)
        noted += note_named(connection, definitions.catalogue, now)
    return dg.MaterializeResult(
        metadata={
            "experiments": len(definitions.catalogue.experiments),
            "new or changed definitions": noted,
            "metrics": len(definitions.metrics),
            "broken definitions": len(definitions.catalogue.broken),
        }
    )


@dg.asset_check(asset=catalogue, description="Every definition can be used; a broken one stops only itself.")
def definitions_are_sound() -> dg.AssetCheckResult:
    """Warn with every problem of the catalogue."""
    definitions = read_definitions()
    refused = semantic_layer_fault(Home.from_environment())
    problems = (
        *([refused] if refused else []),
        *definitions.metric_problems,
        *definitions.catalogue.problems,
        *read_sound(catalog_dir())[1],
    )
    listed = "\n".join(f"- {problem}" for problem in problems)
    return dg.AssetCheckResult(
        passed=not problems,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"problems": dg.MetadataValue.md(listed or "none")},
    )
