"""dbt's static documentation, made again only when the project's sources changed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from analysis.errors import Problem
from orchestration.dbt import environment, source_hash
from orchestration.errors import OrchestrationError
from orchestration.paths import DBT_PROJECT_DIR

if TYPE_CHECKING:
    from pathlib import Path

    from orchestration.paths import Home


def ensure_docs(home: Home) -> Path:
    """A folder with `index.html`, the one self-contained page of `dbt docs generate --static`.

    Raises:
        OrchestrationError: dbt refused; its own words are in the message.
    """
    folder = home.root / "dbt-docs"
    stamp = home.dbt_target / "docs.md5"
    current = source_hash()
    if stamp.exists() and stamp.read_text() == current and (folder / "index.html").exists():
        return folder
    arguments = ["docs", "generate", "--static", "--quiet", "--project-dir", ".", "--profiles-dir", "."]
    done = subprocess.run(
        [sys.executable, "-m", "dbt.cli.main", *arguments, "--target-path", str(home.dbt_target)],
        cwd=DBT_PROJECT_DIR,
        env=environment(home),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise OrchestrationError(
            Problem(
                "dbt cannot write its docs", where=str(DBT_PROJECT_DIR), value=done.stdout[-2000:].strip()
            )
        )
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(home.dbt_target / "static_index.html", folder / "index.html")
    stamp.write_text(current)
    return folder
