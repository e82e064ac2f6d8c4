"""dbt as the pipeline uses it: where its manifest lies, when it is parsed anew, and the variables of a run."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from typing import TYPE_CHECKING

from dagster_dbt import DbtProject

from analysis.errors import Problem
from orchestration.code_hash import dbt_sources
from orchestration.errors import OrchestrationError
from orchestration.paths import DBT_PROJECT_DIR, Home

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    import duckdb

PROJECT = DbtProject(project_dir=DBT_PROJECT_DIR, profiles_dir=DBT_PROJECT_DIR)
MANIFEST = DBT_PROJECT_DIR / "target" / "manifest.json"
_STAMP = DBT_PROJECT_DIR / "target" / "sources.md5"


def source_hash(folder: Path = DBT_PROJECT_DIR) -> str:
    """One md5 over the names and contents of the project's SQL and YAML."""
    digest = hashlib.md5(usedforsecurity=False)
    for name, content in sorted(dbt_sources(folder).items()):
        digest.update(name.encode())
        digest.update(content)
    return digest.hexdigest()


def environment(home: Home) -> dict[str, str]:
    """The process environment in which dbt finds this home."""
    return {**os.environ, "FAIRSPLIT_HOME": str(home.root), "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"}


def ask_for(connection: duckdb.DuckDBPyConnection, last: date) -> None:
    """Write down that the next dbt run shall build every cut-off up to a day, included.

    In the warehouse and not in `--vars`: other variables make dbt parse the whole project again, for seconds.

    Args:
        connection: A writer on the warehouse.
        last: The calendar day.
    """
    connection.execute("create schema if not exists work")
    connection.execute("create table if not exists work.state (key varchar primary key, value varchar)")
    # dbt's graph tells when a model has changed, but not when a macro has.
    macros = source_hash(DBT_PROJECT_DIR / "macros")
    connection.execute(
        "insert or replace into work.state values ('asked_to', ?), ('macros', ?)", [last.isoformat(), macros]
    )


def run_dbt(home: Home, fault: str, *arguments: str) -> None:
    """Run one dbt command on the project, in a process of its own.

    Args:
        home: Where dbt finds the warehouse.
        fault: What has gone wrong when dbt refuses.
        arguments: The command and its options.

    Raises:
        OrchestrationError: dbt refused; its own words are in the message.
    """
    command = [sys.executable, "-m", "dbt.cli.main", *arguments]
    done = subprocess.run(
        [*command, "--quiet", "--project-dir", ".", "--profiles-dir", "."],
        cwd=DBT_PROJECT_DIR,
        env=environment(home),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise OrchestrationError(
            Problem(fault, where=str(DBT_PROJECT_DIR), value=done.stdout[-2000:].strip())
        )


def ensure_manifest(home: Home) -> Path:
    """Parse the project when its sources have changed since the last parse.

    Dagster needs the manifest to load its definitions; parsing costs seconds, so it happens once a change.

    Returns:
        Path of `manifest.json`.

    Raises:
        OrchestrationError: dbt refused the project; its own words are in the message.
    """
    current = source_hash()
    if MANIFEST.exists() and _STAMP.exists() and _STAMP.read_text() == current:
        return MANIFEST
    run_dbt(home, "dbt cannot parse the project", "parse")
    _STAMP.write_text(current)
    return MANIFEST
