"""What Dagster loads: everything declared below `orchestration/defs/`, with its resources."""

from __future__ import annotations

import sys
from pathlib import Path

import dagster as dg

from fairsplit.orchestration import defs as declared
from fairsplit.orchestration.project import Home
from fairsplit.orchestration.running.progress import progress_logger
from fairsplit.orchestration.running.resources.dbt import LeanDbt
from fairsplit.orchestration.running.resources.home import HomeResource
from fairsplit.orchestration.warehouse.dbt import project_dir


@dg.definitions
def defs() -> dg.Definitions:
    """All assets, checks, jobs, schedules and sensors."""
    project = str(project_dir(Home.from_environment()))
    return dg.Definitions.merge(
        dg.load_definitions_from_package_module(declared),
        dg.Definitions(
            resources={
                "home": HomeResource(),
                # The one beside this interpreter, whatever the PATH of the process says.
                "dbt": LeanDbt(
                    project_dir=project,
                    profiles_dir=project,
                    dbt_executable=str(Path(sys.executable).with_name("dbt")),
                ),
            },
            loggers={"progress": progress_logger},
        ),
    )
