"""The hash and the commit of the code that computes results."""

from __future__ import annotations

import hashlib
import subprocess
from functools import cache

from orchestration.paths import PROJECT_ROOT


@cache
def code_hash() -> str:
    """One md5 over the SQL, the judging Python and the pages' templates: equal hashes publish equal results."""
    from orchestration.dbt import source_hash  # noqa: PLC0415 - loads Dagster, which one flat file does not need

    return hashlib.md5((source_hash() + analysis_hash()).encode(), usedforsecurity=False).hexdigest()


@cache
def analysis_hash() -> str:
    """One md5 over the judging Python and the pages' templates alone."""
    digest = hashlib.md5(usedforsecurity=False)
    for path in sorted((PROJECT_ROOT / "analysis").rglob("*")):
        if not path.is_file() or path.suffix == ".pyc":
            continue
        digest.update(path.relative_to(PROJECT_ROOT).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def commit() -> str:
    """The checked-out commit; empty outside a repository."""
    done = subprocess.run(
        ["git", "rev-parse", "HEAD"],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() if done.returncode == 0 else ""
