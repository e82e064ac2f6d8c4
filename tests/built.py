"""Homes that take long to build, built once for all workers and runs that share the same sources."""

from __future__ import annotations

import fcntl
import functools
import hashlib
import inspect
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from fairsplit.orchestration.landing.lake import open_landing
from fairsplit.orchestration.warehouse.opening import writer

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[1]
STORE = ROOT / ".pytest_cache" / "homes"
#: What a home is built by, beside the function that builds it.
SOURCES = ("analysis", "assignment_exports", "orchestration", "dbt_project", "catalog", "tests/oracle")
READ = {".py", ".sql", ".yml", ".yaml", ".j2", ".css", ".js", ".json"}


def built(folder: Path, build: Callable[[Path], None]) -> Path:
    """A copy of what a function builds, made anew only when the sources or the function's file have changed.

    Args:
        folder: Where the copy goes; must not exist.
        build: A module's function that fills the empty folder it is given.

    Returns:
        The folder; its warehouses read their own lakes.
    """
    place = Path(inspect.getfile(build))
    name = f"{place.stem}-{build.__name__}"
    key = hashlib.sha256(_sources().encode() + place.read_bytes()).hexdigest()[:16]
    store = STORE / name / key
    store.parent.mkdir(parents=True, exist_ok=True)
    with (STORE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not store.exists():
            for older in store.parent.iterdir():
                shutil.rmtree(older)
            # A build that is killed leaves this folder, which is no home of any key.
            begun = store.parent / "begun"
            begun.mkdir()
            build(begun)
            begun.rename(store)
        shutil.copytree(store, folder, symlinks=True)
    for warehouse in folder.rglob("warehouse.duckdb"):
        with writer(warehouse) as connection:
            open_landing(connection, warehouse.parent)
    return folder


@functools.cache
def _sources() -> str:
    """One hash over everything that takes part in a build, the locked libraries too."""
    digest = hashlib.sha256((ROOT / "requirements.lock").read_bytes())
    for source in SOURCES:
        for path in sorted((ROOT / source).rglob("*")):
            if path.suffix in READ and "target" not in path.parts and path.is_file():
                digest.update(str(path.relative_to(ROOT)).encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()
