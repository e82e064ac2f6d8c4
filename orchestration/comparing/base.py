"""The definitions as they were at a commit: read from git, which is left as it stands."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

from fairsplit.analysis.errors import Problem
from fairsplit.orchestration.catalogue.loading import read_definitions
from fairsplit.orchestration.errors import OrchestrationError
from fairsplit.orchestration.project import SETTINGS, Project, folders_of

if TYPE_CHECKING:
    from fairsplit.orchestration.catalogue.loading import Definitions


def definitions_at(project: Project, ref: str, scratch: Path) -> Definitions:
    """Catalogue and metrics at a commit.

    Args:
        project: As it stands now; its folder lies in a git repository.
        ref: A branch, tag or commit.
        scratch: An empty folder for the files.

    Raises:
        OrchestrationError: There is no repository, no such commit, or no project in it.
        CatalogueError: `project.yaml` was missing or wrong there.
    """
    top = Path(_git(project.root, "rev-parse", "--show-toplevel").decode().strip())
    commit = (
        _git(project.root, "rev-parse", "--verify", "--end-of-options", f"{ref}^{{commit}}").decode().strip()
    )
    below = project.root.relative_to(top)
    _extract(top, commit, below / SETTINGS, scratch)
    for folder in folders_of(scratch / below):
        _extract(top, commit, folder.relative_to(scratch.resolve()), scratch)
    then = Project.at((scratch / below).resolve())
    return read_definitions(then.catalog, then.dbt, then.library)


def _extract(top: Path, commit: str, path: Path, to: Path) -> None:
    """Put one file or folder of a commit to where it lies in it."""
    archive = _git(top, "archive", "--format=tar", commit, "--", path.as_posix())
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(to, filter="data")


def _git(folder: Path, *arguments: str) -> bytes:
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, check=False)
    except FileNotFoundError as error:
        raise OrchestrationError(Problem("git is not installed", "--base")) from error
    if done.returncode != 0:
        words = (done.stderr.decode(errors="replace").strip().splitlines() or ["git refused"])[0]
        raise OrchestrationError(Problem("git cannot read the base", "--base", words.removeprefix("fatal: ")))
    return done.stdout
