"""What Dagster loads: everything declared below `orchestration/defs/`, with its resources."""

from __future__ import annotations

import sys
from pathlib import Path

import dagster as dg

from orchestration.dbt import project_dir
from orchestration.paths import PROJECT_ROOT
from orchestration.progress import progress_logger
from orchestration.resources.dbt import LeanDbt
from orchestration.resources.home import HomeResource


@dg.definitions
def defs() -> dg.Definitions:
    """All assets, checks, jobs, schedules and sensors."""
    return dg.Definitions.merge(
        dg.load_from_defs_folder(path_within_project=PROJECT_ROOT),
        dg.Definitions(
            resources={
                "home": HomeResource(),
                # The one beside this interpreter, whatever the PATH of the process says.
                "dbt": LeanDbt(
                    project_dir=str(project_dir()),
                    profiles_dir=str(project_dir()),
                    dbt_executable=str(Path(sys.executable).with_name("dbt")),
                ),
            },
            loggers={"progress": progress_logger},
        ),
    )
