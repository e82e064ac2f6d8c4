"""dbt on a home, in this process: parsed once a process and project, run without what nobody reads."""

from __future__ import annotations

import contextlib
import functools
import os
from typing import TYPE_CHECKING
from unittest import mock

from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner
from dbt_common.events.event_manager import EventManager

from fairsplit.orchestration.project import DBT_PROJECT_DIR
from fairsplit.orchestration.warehouse.dbt import ask_for
from fairsplit.orchestration.warehouse.opening import writer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date
    from pathlib import Path

    from dbt.contracts.graph.manifest import Manifest


def build(root: Path, to: date) -> None:
    """Build every model of a home up to a day, included."""
    with writer(root / "warehouse.duckdb") as connection:
        ask_for(connection, to)
    invoke(root, "run")


def invoke(root: Path, *arguments: str, project: Path = DBT_PROJECT_DIR) -> None:
    """Run one dbt command on a home whose folder dbt finds in the environment; fails with dbt's words."""
    os.environ["FAIRSPLIT_HOME"] = str(root)
    runner = dbtRunner(manifest=_parsed(project))
    # Two thousand messages a run that nobody reads cost a tenth of it.
    with mock.patch.object(EventManager, "fire_event"):
        done = runner.invoke([*arguments, *_options(project, root / "dbt")])
    # In this process dbt would keep the file open with settings of its own.
    DuckDBConnectionManager.close_all_connections()
    faults = [f"{one.node.name}: {one.message}" for one in getattr(done.result, "results", ()) if one.message]
    assert done.success, done.exception or "\n".join(faults)[-6000:]


def model_meta(project: Path = DBT_PROJECT_DIR) -> dict[str, dict]:
    """What each model says of itself."""
    nodes = _parsed(project).nodes.values()
    return {node.name: node.config.meta for node in nodes if node.resource_type == "model"}


@contextlib.contextmanager
def altered(file: str, right: str, wrong: str) -> Iterator[None]:
    """Models and macros of one file of the project as if another text stood there; nothing is parsed for it."""
    manifest = _parsed(DBT_PROJECT_DIR)
    texts = [(node, "raw_code") for node in manifest.nodes.values()]
    texts += [(macro, "macro_sql") for macro in manifest.macros.values()]
    concerned = [
        (one, name) for one, name in texts if one.original_file_path == file and right in getattr(one, name)
    ]
    assert concerned, f"no model or macro of {file} says {right!r}"
    with contextlib.ExitStack() as stack:
        for one, name in concerned:
            stack.enter_context(mock.patch.object(one, name, getattr(one, name).replace(right, wrong)))
        yield


@functools.cache
def _parsed(project: Path) -> Manifest:
    """The project as dbt reads it, the same for every home: only the profile knows the home."""
    done = dbtRunner().invoke(["parse", *_options(project, project / "target" / "tests")])
    assert done.success, done.exception
    manifest: Manifest = done.result
    return manifest


def _options(project: Path, target: Path) -> list[str]:
    folder = str(project)
    return [
        "--project-dir", folder, "--profiles-dir", folder, "--target-path", str(target),
        "--log-level", "none", "--log-level-file", "none", "--no-write-json",
    ]  # fmt: skip
