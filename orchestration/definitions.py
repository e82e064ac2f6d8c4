"""What Dagster loads: everything declared below `orchestration/defs/`, with its resources; alone or in a host's own."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from fairsplit.analysis.errors import FairsplitError
from fairsplit.orchestration.project import Home, Project
from fairsplit.orchestration.running import names
from fairsplit.orchestration.running.progress import progress_logger
from fairsplit.orchestration.running.resources.dbt import LeanDbt
from fairsplit.orchestration.running.resources.home import HomeResource
from fairsplit.orchestration.warehouse.dbt import ensure_manifest, project_dir

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dg.definitions
def defs() -> dg.Definitions:
    """All assets, checks, jobs, schedules and sensors of the project that is current."""
    project = str(project_dir(Home.from_environment()))
    declared = importlib.import_module("fairsplit.orchestration.defs")
    return dg.Definitions.merge(
        dg.load_definitions_from_package_module(declared),
        dg.Definitions(
            resources={
                names.HOME: HomeResource(),
                # The one beside this interpreter, whatever the PATH of the process says.
                names.DBT: LeanDbt(
                    project_dir=project,
                    profiles_dir=project,
                    dbt_executable=str(Path(sys.executable).with_name("dbt")),
                ),
            },
            loggers={names.PROGRESS: progress_logger},
        ),
    )


def build_definitions(
    project: str | Path,
    *,
    prefix: str = "",
    upstream: Mapping[str, Sequence[str | dg.AssetKey]] | None = None,
) -> dg.Definitions:
    """Definitions of a project that merge into a code location with assets of its own.

    The project is then the one of this process, and of those that Dagster starts. A code location has one.

    Args:
        project: Folder of its `fairsplit.yaml`.
        prefix: Stands before every asset key (as a part), and before groups, jobs, schedules, sensors and pools (with
            `_`). Its pool, `warehouse`, wants a limit of 1: DuckDB has one writer.
        upstream: By the id of a source, the assets that make what it reads. Landing depends on them, and is asked for
            once they have been materialised.

    Returns:
        Everything. Where the project cannot be read: one asset `catalogue` that says why, so that the host's own load.

    Raises:
        OrchestrationError: The prefix is no name, or another project or prefix was chosen for this process.
    """
    keys = {
        source: [dg.AssetKey.from_user_string(one) if isinstance(one, str) else one for one in assets]
        for source, assets in (upstream or {}).items()
    }
    names.choose(prefix, keys)
    os.environ["FAIRSPLIT_PROJECT"] = str(Path(project).resolve())
    try:
        Project.current()
        ensure_manifest(Home.from_environment().prepare())
        return defs()
    except FairsplitError as error:
        return _unreadable(error)


def _unreadable(error: FairsplitError) -> dg.Definitions:
    """What the UI shows in place of a project that cannot be read."""
    reason = str(error)

    @dg.asset(
        name="catalogue",
        key_prefix=names.prefix(),
        group_name=names.named("catalogue"),
        description=f"The project cannot be read: {reason}",
    )
    def catalogue() -> None:
        raise dg.Failure(description=reason)

    return dg.Definitions(assets=[catalogue])
