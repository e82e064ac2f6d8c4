"""A whole home copied while runs go on: a snapshot of links under the locks, copied afterwards, its manifest last."""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from fairsplit.analysis.errors import Problem
from fairsplit.assignment_exports.durable import checksum, replace_durably, sync
from fairsplit.assignment_exports.publishing import canonical_json, sole_publisher
from fairsplit.orchestration.errors import OrchestrationError
from fairsplit.orchestration.home.checking.warehouse import unreadable_tables
from fairsplit.orchestration.home.migrating import COPIES
from fairsplit.orchestration.home.schema import SCHEMA
from fairsplit.orchestration.warehouse.opening import SNAPSHOT, any_schema, has_table, writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from fairsplit.orchestration.project import Home

MANIFEST: Final = "backup.json"
FILES: Final = "home"
_UNFINISHED: Final = ".unfinished"
#: A step of a run holds the warehouse for minutes at most; between its steps a backup gets in.
_WAIT_SECONDS: Final = 900.0
#: Written by every run anew, or of no use to another home.
_LEFT_OUT: Final = frozenset(
    {SNAPSHOT, COPIES, ".restoring", "dbt", "dbt.log", "fresh.duckdb", "snapshot.duckdb", "dagster/locks"}
)


def back_up(home: Home, target: Path, say: Callable[[str], None]) -> int:
    """Copy a home to a folder, as it is at one instant.

    While it is copied, nobody waits but for the copy of the warehouse's file. A killed backup has no manifest, and is
    begun anew in the same folder.

    Args:
        home: The home; runs may go on.
        target: A new or empty folder outside the home, or one with a backup that was not finished.
        say: Called with a line of progress.

    Returns:
        How many files were copied.

    Raises:
        OrchestrationError: The folder holds something else, or the warehouse was held for too long.
    """
    _require_free(home, target)
    target.mkdir(parents=True, exist_ok=True)
    target.chmod(0o700)
    (target / _UNFINISHED).touch()
    snapshot = home.root / SNAPSHOT
    shutil.rmtree(snapshot, ignore_errors=True)
    try:
        _take(home, snapshot)
        _require_readable(snapshot / home.warehouse.name, home.warehouse)
        say("the snapshot is taken; copying it")
        manifest = _copy(snapshot, target / FILES)
    finally:
        shutil.rmtree(snapshot, ignore_errors=True)
    _sweep(target / FILES, manifest["files"].keys() | manifest["links"].keys())
    manifest |= {"schema": SCHEMA, "made_at": datetime.now(UTC).isoformat(timespec="seconds")}
    replace_durably(target / MANIFEST, canonical_json(signed(manifest)))
    (target / _UNFINISHED).unlink()
    return len(manifest["files"])


def signed(manifest: dict[str, Any]) -> dict[str, Any]:
    """A manifest with the SHA-256 of all that it says."""
    said = {name: value for name, value in manifest.items() if name != "sha256"}
    return said | {"sha256": hashlib.sha256(canonical_json(said)).hexdigest()}


def _require_free(home: Home, target: Path) -> None:
    if target.resolve().is_relative_to(home.root):
        raise OrchestrationError(Problem("a backup lies outside the home", "DIR", str(target)))
    if not target.exists() or ((target / _UNFINISHED).exists() and not (target / MANIFEST).exists()):
        return
    if not target.is_dir() or any(target.iterdir()):
        raise OrchestrationError(
            Problem(
                "something stands there",
                "DIR",
                str(target),
                "a new or empty folder, or a backup that was not finished",
            )
        )


def _take(home: Home, snapshot: Path) -> None:
    """Links to every file as it is now, and a copy of the warehouse, which is changed in place."""
    snapshot.mkdir(mode=0o700)
    if home.warehouse.exists():
        with writer(home.warehouse, _WAIT_SECONDS) as connection:
            connection.execute("checkpoint")
            home.exports.mkdir(exist_ok=True)
            with sole_publisher(home.exports):
                shutil.copy2(home.warehouse, snapshot / home.warehouse.name)
                _link(home, snapshot)
    else:
        _link(home, snapshot)
    for database in sorted(home.dagster.rglob("*.db")):
        target = snapshot / database.relative_to(home.root)
        target.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(target)) as copy:
            source.backup(copy)


def _require_readable(copy: Path, warehouse: Path) -> None:
    """A backup of what cannot be read, or is not there, would be found out when it is needed."""
    if not copy.exists():
        return
    hint = "`fairsplit fsck --repair` first, or restore an earlier backup"
    damaged = unreadable_tables(copy)
    if damaged:
        schema, table, words = damaged[0]
        value = f"{schema}.{table}: {words}"
        raise OrchestrationError(
            Problem("the warehouse is damaged", str(warehouse), value, "every block is read", hint)
        )
    with any_schema(copy) as connection:
        listed = []
        if has_table(connection, "landing", "lake_files"):
            listed = connection.execute("select path from landing.lake_files order by path").fetchall()
    missing = [path for (path,) in listed if not (copy.parent / path).exists()]
    if missing:
        value, rule = f"{len(missing)} files, the first is {missing[0]}", "what the warehouse lists is there"
        raise OrchestrationError(Problem("lake files are missing", str(warehouse.parent), value, rule, hint))


def _link(home: Home, snapshot: Path) -> None:
    for path in _kept(home):
        target = snapshot / path.relative_to(home.root)
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.is_symlink():
            target.symlink_to(path.readlink())
            continue
        try:
            os.link(path, target)
        except FileNotFoundError:
            continue  # a file that was being written beside its place
        except OSError:
            shutil.copy2(path, target)  # on another file system


def _kept(home: Home) -> Iterator[Path]:
    for folder, names, files in os.walk(home.root):
        place = home.root / folder
        relative = place.relative_to(home.root)
        names[:] = sorted(name for name in names if (relative / name).as_posix() not in _LEFT_OUT)
        links = [name for name in names if (place / name).is_symlink()]
        for name in sorted([*files, *links]):
            path = place / name
            is_database = path.is_relative_to(home.dagster) and ".db" in name
            is_warehouse = path.name.startswith(home.warehouse.name) and place == home.root
            if (
                (path.is_symlink() or path.is_file())
                and not is_database
                and not is_warehouse
                and not (name.startswith(".") and name.endswith(".part"))
                and (relative / name).as_posix() not in _LEFT_OUT
            ):
                yield path


def _copy(snapshot: Path, target: Path) -> dict[str, Any]:
    """Copy what is not there yet; the manifest's list of it."""
    files: dict[str, dict[str, Any]] = {}
    links: dict[str, str] = {}
    for path in sorted(snapshot.rglob("*")):
        name = path.relative_to(snapshot).as_posix()
        copy = target / name
        if path.is_symlink():
            links[name] = str(path.readlink())
        elif path.is_file():
            digest = checksum(path)
            copy.parent.mkdir(parents=True, exist_ok=True)
            if not copy.is_file() or checksum(copy) != digest:
                shutil.copy2(path, copy)
                sync(copy)
            stat = path.stat()
            files[name] = {"sha256": digest, "bytes": stat.st_size, "modified_ns": stat.st_mtime_ns}
    return {"files": files, "links": links}


def _sweep(folder: Path, known: set[str]) -> None:
    """Remove what an unfinished backup left that is not of this one."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.relative_to(folder).as_posix() not in known:
            path.unlink()
