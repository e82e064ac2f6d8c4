"""A PostgreSQL server of the distribution, for tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def postgres_server() -> Iterator[str]:
    """The address of a server on a socket in a folder of its own; skips where there is none, or no driver.

    The folder is not pytest's: every run of pytest closes those of its user to others, and the server is another.
    """
    pytest.importorskip("adbc_driver_postgresql")
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin")) if Path("/usr/lib/postgresql").is_dir() else []
    if not places:
        pytest.skip("no PostgreSQL of the distribution")
    is_root = os.geteuid() == 0
    if is_root and shutil.which("runuser") is None:
        pytest.skip("no runuser to run PostgreSQL by")
    # It refuses to run as root.
    prefix = ["runuser", "-u", "postgres", "--"] if is_root else []
    with tempfile.TemporaryDirectory(prefix="fairsplit-postgres-") as name:
        folder = Path(name)
        if is_root:
            shutil.chown(folder, "postgres")
        data = folder / "data"
        made = [*prefix, places[-1] / "initdb", "-D", data, "-A", "trust", "-U", "shop"]
        subprocess.run(made, check=True, capture_output=True)
        options = f"-k {folder} -c listen_addresses='' -c fsync=off"
        control = [*prefix, places[-1] / "pg_ctl", "-D", data, "-w", "-t", "600"]
        subprocess.run(
            [*control, "-l", folder / "log", "-o", options, "start"], check=True, stdout=subprocess.DEVNULL
        )
        try:
            yield f"postgresql:///postgres?host={folder}&user=shop"
        finally:
            subprocess.run([*control, "-m", "immediate", "stop"], check=False, capture_output=True)
