"""A publication killed at any moment leaves one whole site, and the next one clears up after it."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fairsplit.analysis.scorecards import Page
from fairsplit.orchestration.publishing.site import show, write_site
from fairsplit.orchestration.publishing.site.write import remove_others

pytestmark = pytest.mark.fault
ROOT = Path(__file__).resolve().parents[2]
PAGES = 400
PUBLISH = f"""
import sys
from pathlib import Path
from fairsplit.analysis.scorecards import Page
from fairsplit.orchestration.publishing.site import show, write_site
from fairsplit.orchestration.publishing.site.write import remove_others

print("ready", flush=True)
for text in range(10**6):
    site = Path(sys.argv[1])
    written = write_site(site, (Page(f"experiments/{{n}}.html", f"{{text}}") for n in range({PAGES})))
    show(site, Path("versions") / written.version)
    remove_others(site, ())
"""


def test_a_killed_publication_leaves_a_whole_site(tmp_path):
    moments = random.Random(11)  # noqa: S311 - a fixed schedule of kills
    first = write_site(tmp_path, [Page(f"experiments/{n}.html", "first") for n in range(PAGES)])
    show(tmp_path, Path("versions") / first.version)
    for _ in range(12):
        process = subprocess.Popen(
            [sys.executable, "-c", PUBLISH, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        process.stdout.readline()
        time.sleep(moments.uniform(0.01, 0.5))
        process.kill()
        process.communicate()
        shown = {path.read_text() for path in (tmp_path / "current" / "experiments").iterdir()}
        assert len(shown) == 1, "pages of two publications are mixed"
        assert len(list((tmp_path / "current" / "experiments").iterdir())) == PAGES
    (tmp_path / ".current-left").symlink_to("versions/none")
    remove_others(tmp_path, ())
    assert not [name for name in (tmp_path / "versions").iterdir() if name.name.startswith(".")]
    assert not [name for name in tmp_path.iterdir() if name.name.startswith(".current-")]
