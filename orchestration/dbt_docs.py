"""dbt's static documentation, made again only when the project's sources changed."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from orchestration.dbt import run_dbt, source_hash

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
    target = str(home.dbt_target)
    run_dbt(home, "dbt cannot write its docs", "docs", "generate", "--static", "--target-path", target)
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(home.dbt_target / "static_index.html", folder / "index.html")
    stamp.write_text(current)
    return folder
