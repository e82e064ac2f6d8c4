"""The dbt models as daily assets: built by one invocation on this machine, or in shards on a Spark cluster."""

from collections.abc import Iterator, Mapping
from graphlib import TopologicalSorter
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, DbtCliResource, dbt_assets

from fairsplit.orchestration.catalogue.loading import read_definitions
from fairsplit.orchestration.project import Home
from fairsplit.orchestration.running import names
from fairsplit.orchestration.running.partitions import DAILY, days_of
from fairsplit.orchestration.running.resources.home import HomeResource
from fairsplit.orchestration.running.runs import ENGINE
from fairsplit.orchestration.sharding.spark import build_on_spark
from fairsplit.orchestration.warehouse.dbt import ask_for, manifest_path
from fairsplit.orchestration.warehouse.opening import writer

_SOURCE_ASSETS = {
    "landing": "raw_events",
    "catalog": "catalogue",
    "results": "stopping",
}


class Translator(DagsterDbtTranslator):
    """Names of dbt nodes in Dagster: sources are the assets that write them, groups the folders."""

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        """A model's own name; a source's table belongs to the asset that writes its schema."""
        if dbt_resource_props["resource_type"] == "source":
            # Work notes and journals are written beside any asset.
            name = dbt_resource_props["source_name"]
            return names.key(_SOURCE_ASSETS.get(name, name))
        return names.key(dbt_resource_props["name"])

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        """The folder below `models/`: staging, intermediate or marts."""
        folders: list[str] = dbt_resource_props["fqn"][1:-1]
        return names.named(folders[0] if folders else "models")

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> list[str]:
        """Every model is the data team's."""
        del dbt_resource_props
        return ["team:data-engineering"]


@dbt_assets(
    manifest=manifest_path(Home.from_environment()),
    name=names.named("warehouse_models"),
    partitions_def=DAILY,
    backfill_policy=dg.BackfillPolicy.single_run(),
    dagster_dbt_translator=Translator(
        # All tables of a source schema are written by one asset.
        settings=DagsterDbtTranslatorSettings(enable_duplicate_source_asset_keys=True)
    ),
    pool=names.named("warehouse"),
)
def warehouse_models(
    context: dg.AssetExecutionContext, fairsplit_dbt: DbtCliResource, fairsplit_home: HomeResource
) -> Iterator[Any]:
    """Build all models for the run's range of cut-offs; dbt's tests become asset checks.

    A run's tag, else the project, says by which engine; on a cluster it is always all days.
    """
    place = fairsplit_home.open()
    project = read_definitions().catalogue.project
    engine = context.run.tags.get(ENGINE, project.engine)
    if engine == "spark":
        models = build_on_spark(place, days_of(context)[1], project.cluster, context.log.info)
        metadata: dict[str, str | int] = {
            "engine": engine,
            "master": project.cluster.master,
            "shards": project.cluster.shards,
        }
        chosen = context.selected_asset_keys
        read = {key: context.assets_def.asset_deps[key] & chosen for key in chosen}
        for key in TopologicalSorter(read).static_order():
            yield dg.MaterializeResult(asset_key=key, metadata=metadata)
        # Units' rows have been tested in their shards, and have stayed there.
        kept = " ".join(models.kept)
        arguments = ["test", "--exclude-resource-type", "unit_test", "--exclude", kept, "--no-write-json"]
        yield from fairsplit_dbt.cli(arguments, context=context, target_path=place.dbt_target).stream()
        return
    with writer(place.warehouse) as connection:
        ask_for(connection, days_of(context)[1])
    # dbt's unit tests have inputs of their own: they test the SQL, not the day, and belong to `make test`.
    # What it would write about the run as JSON, Dagster keeps already.
    arguments = ["build", "--exclude-resource-type", "unit_test", "--no-write-json"]
    yield from fairsplit_dbt.cli(arguments, context=context, target_path=place.dbt_target).stream()
