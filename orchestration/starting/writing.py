"""Writes a new project to a folder: a team's own, or the demo world's."""

from __future__ import annotations

import shutil
from importlib import resources
from typing import TYPE_CHECKING

from fairsplit.analysis.errors import Problem
from fairsplit.orchestration.errors import OrchestrationError
from fairsplit.orchestration.project import PACKAGES, SETTINGS

if TYPE_CHECKING:
    from pathlib import Path

_DEMO = PACKAGES / "fairsplit" / "demo"
_DEMO_SETTINGS = """\
# The demo world as a project. Its metrics are those that Fairsplit ships, so no `dbt` is named.
catalog: catalog
home: .fairsplit
"""


def write_project(folder: Path) -> list[Path]:
    """Write a small project: settings, one experiment, one metric, what Dagster loads, a CI example.

    Args:
        folder: Its folder, which is made; nothing in it is written over.

    Returns:
        The files, by name.

    Raises:
        OrchestrationError: The folder holds something already.
    """
    _expect_empty(folder)
    with resources.as_file(resources.files("fairsplit.orchestration.starting") / "template") as template:
        shutil.copytree(template, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "gitignore").rename(folder / ".gitignore")
    shutil.copytree(_DEMO / "schema", folder / "catalog" / "schema")
    return _files(folder)


def write_demo(folder: Path) -> list[Path]:
    """Write the demo world's project: its catalogue, judged with the metrics that Fairsplit ships.

    Args:
        folder: Its folder, which is made; nothing in it is written over.

    Returns:
        The files, by name.

    Raises:
        OrchestrationError: The folder holds something already.
    """
    _expect_empty(folder)
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(_DEMO, folder / "catalog")
    (folder / SETTINGS).write_text(_DEMO_SETTINGS, encoding="utf-8")
    (folder / ".gitignore").write_text(".fairsplit/\n", encoding="utf-8")
    return _files(folder)


def _expect_empty(folder: Path) -> None:
    # A repository that has just been made is empty too.
    if folder.exists() and (not folder.is_dir() or {path.name for path in folder.iterdir()} - {".git"}):
        hint = "name a new folder, or an empty one"
        raise OrchestrationError(
            Problem("the folder is not empty", str(folder), rule="a new folder", hint=hint)
        )


def _files(folder: Path) -> list[Path]:
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in found if path.parts[0] != ".git")
