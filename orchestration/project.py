"""Where things lie: the project's own folders, the user's catalogue, and the home that a run writes to."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import fairsplit

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


@dataclass(frozen=True, slots=True)
class Home:
    """The folder that holds everything a run reads and writes (`FAIRSPLIT_HOME`).

    Attributes:
        root: Absolute path of the folder.
    """

    root: Path

    @classmethod
    def from_environment(cls) -> Home:
        """The home named by `FAIRSPLIT_HOME`, else `.fairsplit/` in the project."""
        return cls(Path(os.environ.get("FAIRSPLIT_HOME") or PROJECT_ROOT / ".fairsplit").resolve())

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
    """The user's catalogue: `FAIRSPLIT_CATALOG`, else `catalog/` in the project."""
    return Path(os.environ.get("FAIRSPLIT_CATALOG") or PROJECT_ROOT / "catalog").resolve()
