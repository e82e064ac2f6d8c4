"""`make docs`: the documentation builds as a site, and no link or anchor in it is dead (issue 18, point 8)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


# A build of all pages takes some seconds: dead links show nowhere else.
def test_every_link_of_the_site_leads_somewhere(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--site-dir", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert (tmp_path / "index.html").exists()
    assert "Start in ten minutes" in (tmp_path / "index.html").read_text()
    assert (tmp_path / "repository" / "CHANGELOG.html").exists()
