"""Where things lie: the installed package, the team's project, and the home that a run writes to."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fairsplit
from fairsplit.analysis.catalogue.yaml_source import YamlFaultError, read_yaml
from fairsplit.analysis.errors import Problem
from fairsplit.orchestration.errors import OrchestrationError

if TYPE_CHECKING:
    from fairsplit.analysis.catalogue.yaml_source import Document

#: Where `fairsplit` is found by name: the folder that holds it.
PACKAGES = Path(fairsplit.__path__[0]).parent
#: The folder of the rooms: the repository, or the installed package.
PROJECT_ROOT = Path(__file__).resolve().parent.parent
DBT_PROJECT_DIR = (PACKAGES / "fairsplit" / "dbt").resolve()

_DAGSTER_YAML = """\
telemetry: {enabled: false}
nux: {enabled: false}
run_monitoring: {enabled: true, free_slots_after_run_end_seconds: 1}
concurrency:
  pools: {default_limit: 1}  # DuckDB has one writer: a step that opens the file takes the pool
  runs: {max_concurrent_runs: 1}
"""


#: The file that makes a folder a project.
SETTINGS = "fairsplit.yaml"
_FOLDERS = ("catalog", "dbt", "home")
_KEYS = (*_FOLDERS, "library")


@dataclass(frozen=True, slots=True)
class Project:
    """A team's own files, as its `fairsplit.yaml` says; paths are absolute.

    Attributes:
        root: Folder of `fairsplit.yaml`.
        catalog: Project settings, experiments, flags, segments, sources.
        dbt: The dbt project with the metrics; the shipped one where the team has none.
        home: What runs read and write.
        library: Shipped metrics that are taken beside the metrics of `dbt`, by name.
    """

    root: Path
    catalog: Path
    dbt: Path
    home: Path
    library: tuple[str, ...] = ()

    @classmethod
    def current(cls) -> Project:
        """The project of `FAIRSPLIT_PROJECT`, else of the working directory or a folder above it.

        A checkout of Fairsplit is itself a project, and the one that is taken where no other is found.

        Raises:
            OrchestrationError: There is none, or its settings are wrong.
        """
        named = os.environ.get("FAIRSPLIT_PROJECT")
        here = Path.cwd()
        candidates = [Path(named).resolve()] if named else [here, *here.parents, PROJECT_ROOT]
        for folder in candidates:
            if (folder / SETTINGS).is_file():
                return cls.at(folder)
        raise OrchestrationError(_no_project(candidates[0]))

    @classmethod
    def at(cls, folder: Path) -> Project:
        """The project of a folder.

        Args:
            folder: Where its `fairsplit.yaml` lies; absolute.

        Raises:
            OrchestrationError: There is none, or its settings are wrong.
        """
        said, document = _settings(folder)
        for key in ("catalog", "dbt"):
            if key in said and not (folder / said[key]).is_dir():
                raise OrchestrationError(Problem("no such folder", document.place((key,)), said[key]))
        return cls(
            root=folder,
            catalog=(folder / said.get("catalog", "catalog")).resolve(),
            dbt=(folder / said["dbt"]).resolve() if "dbt" in said else DBT_PROJECT_DIR,
            home=(folder / said.get("home", ".fairsplit")).resolve(),
            library=_library(said, document),
        )


def folders_of(folder: Path) -> list[Path]:
    """Where the settings of a folder say that catalogue and dbt project are, whether or not they are there.

    Raises:
        OrchestrationError: There are no settings, or they are wrong.
    """
    said, _ = _settings(folder)
    named = [said.get("catalog", "catalog"), *([said["dbt"]] if "dbt" in said else [])]
    return [(folder / one).resolve() for one in named]


def _settings(folder: Path) -> tuple[dict[str, Any], Document]:
    """What `fairsplit.yaml` says: known keys, folders as texts; whether they are there is not asked."""
    if not (folder / SETTINGS).is_file():
        raise OrchestrationError(_no_project(folder))
    try:
        document = read_yaml(folder / SETTINGS, SETTINGS)
    except YamlFaultError as error:
        raise OrchestrationError(error.problem) from error
    said = {} if document.data is None else document.data
    if not isinstance(said, dict):
        raise OrchestrationError(Problem("no settings", SETTINGS, str(said)[:40], "keys and values"))
    for key, value in said.items():
        if key not in _KEYS:
            rule = f"one of: {', '.join(_KEYS)}"
            raise OrchestrationError(Problem(f"unknown key '{key}'", document.place((key,)), rule=rule))
        if key in _FOLDERS and (not isinstance(value, str) or not value):
            place = document.place((key,))
            raise OrchestrationError(Problem("no folder", place, str(value), "a path from this file"))
    return said, document


def _library(said: dict[str, Any], document: Document) -> tuple[str, ...]:
    names, place = said.get("library") or [], document.place(("library",))
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        rule = "a list of names of metrics that Fairsplit ships"
        raise OrchestrationError(Problem("no list", place, str(names)[:40], rule))
    if names and "dbt" not in said:
        hint = "leave it out: without `dbt` all shipped metrics are the project's"
        raise OrchestrationError(Problem("a library stands beside metrics of one's own", place, hint=hint))
    return tuple(names)


def _no_project(folder: Path) -> Problem:
    return Problem(
        "no project",
        str(folder),
        rule=f"{SETTINGS} in the working directory or above it",
        hint="`fairsplit init DIR` writes a project, `fairsplit demo DIR` one with a demo world",
    )


@dataclass(frozen=True, slots=True)
class Home:
    """The folder that holds everything a run reads and writes (`FAIRSPLIT_HOME`).

    Attributes:
        root: Absolute path of the folder.
    """

    root: Path

    @classmethod
    def from_environment(cls) -> Home:
        """The home named by `FAIRSPLIT_HOME`, else the project's."""
        named = os.environ.get("FAIRSPLIT_HOME")
        return cls(Path(named).resolve() if named else Project.current().home)

    @property
    def landing(self) -> Path:
        """Where the user drops event files."""
        return self.root / "landing"

    @property
    def warehouse(self) -> Path:
        """The DuckDB file; one writer at a time."""
        return self.root / "warehouse.duckdb"

    @property
    def exports(self) -> Path:
        """Versions of the allocation configs, and `current`."""
        return self.root / "exports"

    @property
    def assignments(self) -> Path:
        """Lists of who is in which arm, by experiment, where no hash says so."""
        return self.root / "assignments"

    @property
    def site(self) -> Path:
        """The published pages."""
        return self.root / "site"

    @property
    def dagster(self) -> Path:
        """Dagster's own storage."""
        return self.root / "dagster"

    @property
    def data_docs(self) -> Path:
        """Great Expectations' Data Docs of the last validation."""
        return self.root / "data-docs"

    @property
    def notices(self) -> Path:
        """Digests of what changed."""
        return self.root / "notices"

    @property
    def dbt_target(self) -> Path:
        """Dbt's artefacts for this home; apart from the project so that homes do not disturb each other."""
        return self.root / "dbt"

    def prepare(self) -> Home:
        """Create the folders and Dagster's instance settings; harmless when they exist.

        People's events and ids lie here: the home is its owner's alone, and so is what this process writes from now on.
        """
        os.umask(0o077)
        self.root.mkdir(parents=True, exist_ok=True)
        self.root.chmod(0o700)
        for folder in (self.landing, self.exports, self.dagster, self.dbt_target):
            folder.mkdir(parents=True, exist_ok=True)
        settings = self.dagster / "dagster.yaml"
        if not settings.exists():
            settings.write_text(_DAGSTER_YAML)
        return self


def catalog_dir() -> Path:
    """The user's catalogue: `FAIRSPLIT_CATALOG`, else the project's."""
    named = os.environ.get("FAIRSPLIT_CATALOG")
    return Path(named).resolve() if named else Project.current().catalog


def metrics_dir() -> Path:
    """The dbt project with the metrics."""
    return Project.current().dbt


def library() -> tuple[str, ...]:
    """The shipped metrics that the project takes beside its own."""
    return Project.current().library
