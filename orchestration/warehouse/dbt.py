"""dbt as the pipeline uses it: where its manifest lies, when it is parsed anew, and the variables of a run."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from fairsplit.analysis.catalogue.semantic_files import SEMANTIC_FOLDER, semantic_files
from fairsplit.analysis.catalogue.yaml_source import YamlFaultError, read_yaml
from fairsplit.analysis.errors import Problem
from fairsplit.orchestration.errors import OrchestrationError
from fairsplit.orchestration.project import DBT_PROJECT_DIR, Home, library, metrics_dir
from fairsplit.orchestration.provenance.code_hash import dbt_sources
from fairsplit.orchestration.warehouse.merging import merge_row_groups
from fairsplit.orchestration.warehouse.own_semantics import unreadable_semantics, write_semantics

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    import duckdb

_STAMP = "sources.md5"
_LOCK = "parsing.lock"
_WITHOUT_METRICS = "without-metrics"
_WITH_OWN_METRICS = "with-own-metrics"
_REASON = "refused.txt"


def source_hash(folder: Path = DBT_PROJECT_DIR) -> str:
    """One md5 over the names and contents of the project's SQL and YAML."""
    digest = hashlib.md5(usedforsecurity=False)
    for name, content in sorted(dbt_sources(folder).items()):
        digest.update(name.encode())
        digest.update(content)
    return digest.hexdigest()


def environment(home: Home) -> dict[str, str]:
    """The process environment in which dbt finds this home, and writes its logs there."""
    return {
        **os.environ,
        "FAIRSPLIT_HOME": str(home.root),
        "DBT_LOG_PATH": str(home.dbt_target),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }


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
    merge_row_groups(connection, last)


def run_dbt(home: Home, fault: str, *arguments: str, project: Path | None = None) -> None:
    """Run one dbt command on the project, in a process of its own.

    Args:
        home: Where dbt finds the warehouse.
        fault: What has gone wrong when dbt refuses.
        arguments: The command and its options.
        project: The dbt project, where it is not the one of the team that the home belongs to.

    Raises:
        OrchestrationError: dbt refused; its own words are in the message.
    """
    command = [sys.executable, "-m", "dbt.cli.main", *arguments]
    done = subprocess.run(
        [*command, "--quiet", "--project-dir", ".", "--profiles-dir", "."],
        cwd=project or project_dir(home),
        env=environment(home),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise OrchestrationError(Problem(fault, "dbt_project", done.stdout[-2000:].strip()))


def project_dir(home: Home) -> Path:
    """The project that dbt is given: the shipped one, or a copy of it.

    A copy has a team's own metrics in place of the shipped ones, or none while dbt refuses them.
    """
    copies = (_artefacts(home) / name for name in (_WITHOUT_METRICS, _WITH_OWN_METRICS))
    return next((copy for copy in copies if copy.exists()), DBT_PROJECT_DIR)


def manifest_path(home: Home) -> Path:
    """Where `ensure_manifest` leaves what dbt has read of the project."""
    return _artefacts(home) / "manifest.json"


def _artefacts(home: Home) -> Path:
    """What dbt makes of the project: beside it, the same for every home.

    In the home where that is read-only, or where the metrics are a team's own.
    """
    if metrics_dir() != DBT_PROJECT_DIR:
        return home.root / "dbt-project"
    beside = DBT_PROJECT_DIR / "target"
    is_writable = os.access(beside if beside.exists() else DBT_PROJECT_DIR, os.W_OK)
    return beside if is_writable else home.root / "dbt-project"


def ensure_manifest(home: Home, say: Callable[[str], None] = lambda _: None) -> Path:
    """Parse the project when its sources have changed since the last parse.

    Dagster needs the manifest to load its definitions; parsing costs seconds, so it happens once a change. The models
    read metrics from the catalogue's tables, so one that dbt refuses takes only dbt's pages about metrics away.

    Args:
        home: Where dbt writes what it may not write beside the project.
        say: Is told before dbt reads the project.

    Returns:
        Path of `manifest.json`.

    Raises:
        OrchestrationError: dbt refused the project, metrics aside; its own words are in the message.
    """
    own = metrics_dir()
    current = source_hash() + ("" if own == DBT_PROJECT_DIR else _own_hash(own))
    manifest, folder = manifest_path(home), _artefacts(home)
    stamp = folder / _STAMP

    def is_current() -> bool:
        return manifest.exists() and stamp.exists() and stamp.read_text() == current

    if is_current():
        return manifest
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / _LOCK).open("w") as lock:
        # Two processes that load after a change would write one file at once.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_current():
            say("dbt reads its project, as it does once after a change")
            stamp.unlink(missing_ok=True)
            _parse(home, own, folder)
            stamp.write_text(current)
    return manifest


def _parse(home: Home, own: Path, folder: Path) -> None:
    """Have dbt write the manifest; of a project whose metrics it refuses without them.

    Args:
        home: As of `ensure_manifest`.
        own: The dbt project with the metrics.
        folder: Where the manifest and the copies of the project go.

    Raises:
        OrchestrationError: dbt refuses the project, metrics aside.
    """
    for copy in (_WITHOUT_METRICS, _WITH_OWN_METRICS):
        shutil.rmtree(folder / copy, ignore_errors=True)
    parse = ("parse", "--target-path", str(folder))
    is_shipped = own == DBT_PROJECT_DIR
    reason = _unreadable(own / SEMANTIC_FOLDER) if is_shipped else unreadable_semantics(own)
    if reason is None:
        if not is_shipped:
            _copy_without_metrics(folder / _WITH_OWN_METRICS)
            write_semantics(own, library(), folder / _WITH_OWN_METRICS)
        try:
            run_dbt(home, "dbt cannot parse the project", *parse)
        except OrchestrationError as error:
            reason = error.problem.value
    if reason is not None:
        _copy_without_metrics(folder / _WITHOUT_METRICS)
        (folder / _WITHOUT_METRICS / _REASON).write_text(reason)
        run_dbt(home, "dbt cannot parse the project", *parse)


def semantic_layer_fault(home: Home) -> Problem | None:
    """Why dbt refuses the metrics, or the whole project, as it stands now; none where it takes them."""
    try:
        ensure_manifest(home)
    except OrchestrationError as error:
        return error.problem
    refusing = project_dir(home)
    if refusing.name != _WITHOUT_METRICS:
        return None
    hint = "mend what dbt names; until then results are computed, and dbt's docs show no metrics"
    return Problem(
        "dbt refuses the semantic layer", SEMANTIC_FOLDER, (refusing / _REASON).read_text(), hint=hint
    )


def _own_hash(own: Path) -> str:
    """One md5 over a team's semantic layer, and over what it takes of the library."""
    digest = hashlib.md5(repr(library()).encode(), usedforsecurity=False)
    for file in semantic_files(own):
        digest.update(file.name.encode())
        digest.update(file.path.read_bytes() if file.path.is_file() else b"")
    return digest.hexdigest()


def _unreadable(folder: Path) -> str | None:
    """What dbt would wait for, or stumble over, without saying so: a pipe or a folder with the name of a file."""
    for path in sorted(folder.rglob("*")):
        if path.suffix in {".yml", ".yaml", ".sql"} and not path.is_file():
            return f"{path.name} is no file"
    return None


def _copy_without_metrics(to: Path) -> None:
    """A copy of the project with everything but the files that declare metrics, or that cannot be read."""

    def left_out(folder: str, names: list[str]) -> list[str]:
        inside = (DBT_PROJECT_DIR / SEMANTIC_FOLDER) in (Path(folder), *Path(folder).parents)
        return [
            name
            for name in names
            if name in {"target", "logs"} or (inside and _is_metrics(Path(folder, name)))
        ]

    shutil.copytree(DBT_PROJECT_DIR, to, ignore=left_out)


def _is_metrics(path: Path) -> bool:
    if path.suffix not in {".yml", ".yaml"}:
        return False
    try:
        data = read_yaml(path, path.name).data
    except YamlFaultError:
        return True
    return not isinstance(data, dict) or not data.keys().isdisjoint(
        {"semantic_models", "metrics", "saved_queries"}
    )
