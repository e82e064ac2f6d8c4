"""A PostgreSQL server of the distribution, for tests."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def postgres_server(folder: Path) -> Iterator[str]:
    """The address of a server on a socket of its own below a folder; skips where there is none, or no driver."""
    pytest.importorskip("adbc_driver_postgresql")
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin")) if Path("/usr/lib/postgresql").is_dir() else []
    if not places:
        pytest.skip("no PostgreSQL of the distribution")
    prefix = []
    if os.geteuid() == 0:
        # It refuses to run as root.
        if shutil.which("runuser") is None:
            pytest.skip("no runuser to run PostgreSQL by")
        prefix = ["runuser", "-u", "postgres", "--"]
        for place in (folder, *folder.parents[:2]):
            place.chmod(0o755)
        shutil.chown(folder, "postgres")
    data = folder / "data"
    subprocess.run(
        [*prefix, places[-1] / "initdb", "-D", data, "-A", "trust", "-U", "shop"],
        check=True,
        capture_output=True,
    )
    options = f"-k {folder} -c listen_addresses='' -c fsync=off"
    control = [*prefix, places[-1] / "pg_ctl", "-D", data, "-w"]
    subprocess.run(
        [*control, "-l", folder / "log", "-o", options, "start"], check=True, stdout=subprocess.DEVNULL
    )
    try:
        yield f"postgresql:///postgres?host={folder}&user=shop"
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], check=False, capture_output=True)
